package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"meridian/cluster/access"
	clustertransport "meridian/cluster/transport"
	"meridian/cmd/meridian/config"
	"meridian/cmd/meridian/devregion"
	"meridian/crypto/seal"
)

// clientVariables are the environment variables with the configuration's prefix
// that are not values of it.
var clientVariables = []string{
	"MERIDIAN_ENDPOINT", "MERIDIAN_CA_FILE", devFileVariable, devregion.ParentPipe,
}

// configFlags are the flags of every verb that reads a server's configuration.
type configFlags struct {
	file string
	set  []string
}

func (f *configFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.file, "config", "c", "", "the configuration `FILE`")
	f.addSet(c)
}

func (f *configFlags) addSet(c *cobra.Command) {
	// An array, not a slice: a value may hold commas.
	c.Flags().StringArrayVar(&f.set, "set", nil, "one configuration value, as `PATH=VALUE`, over file and environment; may be repeated")
}

// load reads the configuration; mistakes in it are the user's, exit code 2.
func (f *configFlags) load() (*config.Loaded, error) {
	l, err := config.Load(config.Options{
		File: f.file, Environ: os.Environ, Set: f.set, Ignore: clientVariables,
	})
	var problems config.Problems
	if errors.As(err, &problems) {
		return nil, usageError("%w", err)
	}
	return l, err
}

func newConfigCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "The server's configuration",
	}
	c.AddCommand(newConfigCheckCommand(), newConfigShowCommand())
	return c
}

func newConfigCheckCommand() *cobra.Command {
	var flags configFlags
	c := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Find every mistake in a configuration",
		Long: `Reads a configuration as the server would, environment included, and the
certificates, secrets and keys that it names, and prints every mistake with its
place. Nothing is changed.`,
		Example: "  meridian config check /etc/meridian/meridian.yaml",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.takeFile(args); err != nil {
				return err
			}
			if flags.file == "" {
				return usageError("which configuration? meridian config check FILE")
			}
			l, err := flags.load()
			if err != nil {
				return err
			}
			if err := checkFiles(l); err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: ok\n", flags.file)
			return nil
		},
	}
	flags.add(c)
	return c
}

func newConfigShowCommand() *cobra.Command {
	var flags configFlags
	var defaults, origin bool
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print a configuration as the server sees it, or the defaults",
		Example: `  meridian config show --defaults
  meridian config show --origin /etc/meridian/meridian.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := flags.takeFile(args); err != nil {
				return err
			}
			if defaults {
				if flags.file != "" || origin {
					return usageError("--defaults stands alone: it shows what holds without any file")
				}
				return config.WriteDefaults(c.OutOrStdout())
			}
			if flags.file == "" {
				return usageError("which configuration? meridian config show FILE, or --defaults")
			}
			l, err := flags.load()
			if err != nil {
				return err
			}
			return l.Write(c.OutOrStdout(), origin)
		},
	}
	flags.add(c)
	c.Flags().BoolVar(&defaults, "defaults", false, "every key with its default and what it is for")
	c.Flags().BoolVar(&origin, "origin", false, "beside each value, where it came from")
	return c
}

// takeFile accepts the file as an argument too.
func (f *configFlags) takeFile(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if f.file != "" {
		return usageError("two configurations, %s and %s; give one", f.file, args[0])
	}
	f.file = args[0]
	return nil
}

// checkFiles opens every file that the configuration names and reports every
// mistake at once.
func checkFiles(l *config.Loaded) error {
	var problems config.Problems
	report := func(path string, err error) {
		if err != nil {
			problems = append(problems, config.Problem{Where: l.Origin(path), Text: path + ": " + err.Error()})
		}
	}
	cfg := &l.Config
	if cfg.Listen.API.Address != "" {
		report("listen.api.tls.cert", checkPair(cfg.Listen.API.TLS.Cert, cfg.Listen.API.TLS.Key))
	}
	pairErr, caErr := checkPair(cfg.Listen.Cluster.TLS.Cert, cfg.Listen.Cluster.TLS.Key), checkCA(cfg.Listen.Cluster.TLS.CA)
	report("listen.cluster.tls.cert", pairErr)
	report("listen.cluster.tls.ca", caErr)
	if pairErr == nil && caErr == nil {
		report("listen.cluster.tls.cert", clustertransport.CheckCertificate(clustertransport.Config{
			Region: cfg.Region.ID, NodeID: cfg.Node.ID,
			CertFile: cfg.Listen.Cluster.TLS.Cert, KeyFile: cfg.Listen.Cluster.TLS.Key, CAFile: cfg.Listen.Cluster.TLS.CA,
		}))
	}
	secret, err := cfg.Access.Root.Secret.Read(os.LookupEnv)
	if err == nil {
		err = access.CheckSecret(secret)
	}
	secret.Wipe()
	report("access.root.secret", err)
	provider, err := seal.OpenFile(cfg.Seal.Path)
	if err == nil {
		err = provider.Close()
	}
	report("seal.path", err)
	report("node.data", checkFolder(cfg.Node.Data))
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// checkPair reads a certificate and its key.
func checkPair(cert, key string) error {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	if time.Now().After(pair.Leaf.NotAfter) {
		return fmt.Errorf("%s expired on %s", cert, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

func checkCA(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%s holds no PEM certificate", path)
	}
	return nil
}

// checkFolder accepts a folder that is not there yet if the server can make it,
// and says whether it can be written to.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	at := path
	for errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at) {
		at = filepath.Dir(at)
		info, err = os.Stat(at)
	}
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s cannot be made: %s is not a folder", path, filepath.Dir(at))
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", at)
	case unix.Access(at, unix.W_OK|unix.X_OK) == nil:
		return nil
	case at == path:
		return fmt.Errorf("%s cannot be written to by this user", path)
	}
	return fmt.Errorf("%s cannot be made: %s cannot be written to by this user", path, at)
}

// joinLines puts the lines of an error on one, for a log.
func joinLines(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
