package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"meridian/cluster/api/client"
)

func newRegionCommand() *cobra.Command {
	v := &clientVerb{}
	c := &cobra.Command{
		Use:   "region",
		Short: "What a region shows to other regions",
		Long: `Shows what other regions have to know of a region. Data keys come in from them sealed
to its transport key, and leave for those alone whose transport keys are pinned in the
configuration (peers, unless export.allow is any).`,
	}
	v.addTo(c)
	c.AddCommand(newRegionTransportKeyCommand(v))
	return c
}

// transportKeyView is a region's transport key.
type transportKeyView struct {
	Version     int    `json:"version"`
	Fingerprint string `json:"fingerprint"`
	Created     string `json:"created"`
	answered
}

func newRegionTransportKeyCommand(v *clientVerb) *cobra.Command {
	rotate, dryRun := false, false
	c := &cobra.Command{
		Use:   "transport-key",
		Short: "Show the key under which data keys come in, as other regions pin it",
		Long: `Shows the fingerprint of the key pair under which data keys come in from other regions.
Their configuration pins it: peers: [{region: ID, transport_key: FINGERPRINT}], and takes
the old and the new one with a blank between while it is rotated.

--rotate makes a new one. What is on its way under the one before still opens; so pin the
new one in the other regions (SIGHUP reads it), and take the old one out there afterwards.`,
		Example: `  meridian region transport-key --region cn-local-2
  meridian region transport-key --rotate --region cn-local-2`,
		Args: cobra.NoArgs,
	}
	c.RunE = v.run(func(ctx context.Context, s *session, _ []string) error {
		if rotate && !dryRun {
			if _, err := s.callOwn(ctx, "RotateTransportKey", nil); err != nil {
				return err
			}
		}
		view, err := s.transportKey(ctx)
		if err != nil || s.explain {
			return err
		}
		return s.value(view, func(w io.Writer) {
			fmt.Fprintf(w, "version %d, made %s\n%s\n", view.Version, view.Created, view.Fingerprint)
		})
	})
	c.Flags().BoolVar(&rotate, "rotate", false, "make a new one first")
	addDryRun(c, &dryRun)
	return c
}

// transportKey asks for the region's transport key.
func (s *session) transportKey(ctx context.Context) (view transportKeyView, err error) {
	var k struct {
		transportKey
		CreationDate string
	}
	resp, err := s.callOwn(ctx, "GetTransportKey", &k)
	if err != nil {
		return view, err
	}
	view.answered = answeredBy(resp)
	view.Version, view.Fingerprint, view.Created = k.TransportKeyVersion, k.Fingerprint, k.CreationDate
	return view, nil
}

// callOwn calls an action of Meridian's own.
func (s *session) callOwn(ctx context.Context, action string, out any) (client.Response, error) {
	if s.explain {
		text, err := s.client.ExplainOwn(action, nil)
		if err != nil {
			return client.Response{}, err
		}
		return client.Response{}, s.print(text)
	}
	resp, err := s.client.CallOwn(ctx, action, nil, out)
	return resp, s.explained(err, resp.Node)
}
