package main

import (
	"crypto/fips140"
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// versionView is the result of `meridian version`.
type versionView struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"` // OS/architecture
	FIPS140  bool   `json:"fips140"`  // whether Go's FIPS 140-3 module is on
}

func newVersionCommand() *cobra.Command {
	var o outputFlags
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			v := versionView{versionText(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, fips140.Enabled()}
			return o.printer(c).value(v, func(w io.Writer) {
				if o.quiet {
					fmt.Fprintln(w, v.Version)
					return
				}
				fips := ""
				if v.FIPS140 {
					fips = ", FIPS 140-3 mode"
				}
				fmt.Fprintf(w, "meridian %s (%s, %s%s)\n", v.Version, v.Go, v.Platform, fips)
			})
		},
	}
	o.addTo(c)
	return c
}
