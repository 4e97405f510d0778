package main

import (
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"meridian/cluster/api/client"
	"meridian/cluster/migrate"
)

func newMigrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move wrapped data keys from one region to another, in bulk",
		Long: `Moves data keys in bulk: each ciphertext of a file is opened in the region that it
is from and sealed again in the other one. Whoever moves them never sees a data key,
unless --allow-plaintext or verify --open let them: the source encrypts it under a
transport key of the destination.

A run keeps a journal beside its output. One that was killed, at any moment, goes on
when the same command is started again: no row is lost, and none is there twice.`,
	}
	c.AddCommand(newMigratePlanCommand(), newMigrateRunCommand(), newMigrateStatusCommand(), newMigrateVerifyCommand(), newMigrateRollbackCommand(), newMigrateReportCommand())
	return c
}

// migrateFlags name both sides.
type migrateFlags struct {
	regionsFile string
	from, to    string
	signature   string
	timeout     time.Duration

	keySources map[string]string // region -> where its access key came from, for errors
	patience   time.Duration     // with a region that does not answer at the start; 0: as usual
}

func (f *migrateFlags) addTo(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.regionsFile, "regions", "", "`FILE` that describes both regions (YAML or JSON), such as a ready file (default: the dev instance)")
	fl.StringVar(&f.from, "from", "", "`ID` of the region that the ciphertexts are from")
	fl.StringVar(&f.to, "to", "", "`ID` of the region that they go to")
	fl.StringVar(&f.signature, "signature", "v3", "`SCHEME` by which requests are signed: v3, v1 or v1-sha256")
	fl.DurationVar(&f.timeout, "timeout", client.DefaultTimeout, "limit of one attempt at one node")
}

// open makes the two sides.
func (f *migrateFlags) open(c *cobra.Command) (from, to *migrate.Region, err error) {
	switch {
	case f.from == "" || f.to == "":
		return nil, nil, usageError("name both regions: --from ID --to ID")
	case f.from == f.to:
		return nil, nil, usageError("--from and --to are one region")
	}
	var file *readyFile
	if f.regionsFile != "" {
		file, err = readRegionsFile(f.regionsFile)
	} else if file, err = readDevFile(); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, usageError("give --regions FILE that describes both regions, or start a dev instance that runs them")
	}
	if err != nil {
		return nil, nil, usageError("regions: %w", err)
	}
	if from, err = f.side(c, file, f.from); err != nil {
		return nil, nil, err
	}
	if to, err = f.side(c, file, f.to); err != nil {
		from.Close()
	}
	return from, to, err
}

// side makes one of them. Where the file has no access key for it, the environment or the profile does.
func (f *migrateFlags) side(c *cobra.Command, file *readyFile, id string) (*migrate.Region, error) {
	flags := clientFlags{signature: f.signature}
	t := &target{timeout: f.timeout}
	var ok bool
	if t.signature, ok = flags.scheme(); !ok {
		return nil, usageError("--signature %q: want v3, v1 or v1-sha256", f.signature)
	}
	if f.timeout <= 0 {
		return nil, usageError("--timeout must be above zero")
	}
	ca := ""
	if err := t.use(file, id, "the file of regions", &ca); err != nil {
		return nil, err
	}
	err := errors.Join(flags.findKey(t, c.InOrStdin()), t.readCA(ca))
	if errors.Is(err, errNoAccessKey) {
		return nil, usageError("%w for region %s: give it access_key_id and access_key_secret in the file of regions, or set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or make a profile of the official command line", err, id)
	}
	if err != nil {
		return nil, err
	}
	if f.keySources == nil {
		f.keySources = map[string]string{}
	}
	f.keySources[id] = t.keySource
	r, err := migrate.NewRegion(id, client.Config{
		Endpoints: t.endpoints, AccessKeyID: t.accessKeyID, Secret: t.secret, CA: t.ca, Signature: t.signature, Timeout: t.timeout,
	})
	if err != nil {
		return nil, usageError("%w", err)
	}
	if f.patience > 0 {
		r.StartPatience = f.patience
	}
	return r, nil
}
