package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"meridian/cluster/api/client"
	"meridian/crypto"
)

// clientFlags say which endpoint to call and as whom. What is not given comes
// from the environment, then the official CLI's profile; without any endpoint
// it is the running dev instance with its access key.
type clientFlags struct {
	endpoints   []string
	region      string
	regionsFile string
	accessKeyID string
	secretFile  string
	ca          string
	profileFile string
	profile     string
	signature   string
	timeout     time.Duration
	consistency string
	minIndex    uint64
}

// addTo declares the flags on a verb and those below it.
func (f *clientFlags) addTo(c *cobra.Command) {
	p := c.PersistentFlags()
	p.StringSliceVar(&f.endpoints, "endpoint", nil, "`URL` of a node, or several of one region (MERIDIAN_ENDPOINT)")
	p.StringVar(&f.region, "region", "", "`ID` of the region, where --regions or the dev instance has several")
	p.StringVar(&f.regionsFile, "regions", "", "`FILE` that describes regions (YAML or JSON), such as a ready file")
	p.StringVar(&f.accessKeyID, "access-key-id", "", "`ID` of the access key (ALIBABA_CLOUD_ACCESS_KEY_ID)")
	p.StringVar(&f.secretFile, "access-key-secret-file", "", "`FILE` with its secret, - for stdin (ALIBABA_CLOUD_ACCESS_KEY_SECRET)")
	p.StringVar(&f.ca, "ca", "", "PEM `FILE` of an authority to trust besides the system's (MERIDIAN_CA_FILE)")
	p.StringVar(&f.profileFile, "config", "", "the official CLI's profile `FILE` (default ~/.aliyun/config.json)")
	p.StringVar(&f.profile, "profile", "", "`NAME` of the profile in it (ALIBABA_CLOUD_PROFILE; default: its current one)")
	p.StringVar(&f.signature, "signature", "v3", "`SCHEME` by which requests are signed: v3, v1 or v1-sha256")
	p.StringVar(&f.consistency, "consistency", "default", "`LEVEL` of reads: default (nothing from before an acknowledged write) or linearizable")
	p.Uint64Var(&f.minIndex, "min-index", 0, "`INDEX` of an earlier answer, which reads must not be behind")
	p.DurationVar(&f.timeout, "timeout", client.DefaultTimeout, "limit of one attempt at one node")
	for name, values := range map[string][]string{"signature": {"v3", "v1", "v1-sha256"}, "consistency": {"default", "linearizable"}} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	}
}

// target is whom to call and as whom, and where that was found.
type target struct {
	endpoints    []string
	accessKeyID  string
	secret       crypto.Secret
	keySource    string // where the access key came from, for error texts
	ca           []byte
	signature    client.Signature
	timeout      time.Duration
	linearizable bool
	minIndex     uint64
	known        *readyRegion // the region as a ready file describes it, nil when only its endpoints are known
}

// client makes a client of the target.
func (t *target) client() (*client.Client, error) {
	return client.New(client.Config{
		Endpoints: t.endpoints, AccessKeyID: t.accessKeyID, Secret: t.secret, CA: t.ca, Signature: t.signature, Timeout: t.timeout,
		Linearizable: t.linearizable, MinIndex: t.minIndex,
	})
}

// resolve finds the target. The secret may be read from in, or asked for on a
// terminal.
func (f *clientFlags) resolve(in io.Reader) (*target, error) {
	t := &target{timeout: f.timeout, minIndex: f.minIndex}
	var ok bool
	if t.signature, ok = f.scheme(); !ok {
		return nil, usageError("--signature %q: want v3, v1 or v1-sha256", f.signature)
	}
	switch f.consistency {
	case "default", "":
	case "linearizable":
		t.linearizable = true
	default:
		return nil, usageError("--consistency %q: want default or linearizable", f.consistency)
	}
	if f.timeout <= 0 {
		return nil, usageError("--timeout must be above zero")
	}
	ca := f.ca
	if err := f.findEndpoint(t, &ca); err != nil {
		return nil, err
	}
	err := f.findKey(t, in)
	if errors.Is(err, errNoAccessKey) {
		return nil, usageError("%w: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or give --access-key-id and --access-key-secret-file, or --profile", err)
	}
	if err != nil {
		return nil, err
	}
	return t, t.readCA(ca)
}

// scheme is how requests are to be signed; false for a word that is no scheme.
func (f *clientFlags) scheme() (s client.Signature, ok bool) {
	switch strings.ToLower(f.signature) {
	case "v3", "":
		return client.V3, true
	case "v1":
		return client.V1, true
	case "v1-sha256":
		return client.V1SHA256, true
	}
	return client.V3, false
}

// findEndpoint takes the flag, a regions file, the environment, or the dev
// instance. Where the flag or the environment names endpoints of the dev
// instance, that is known too, with its CA.
func (f *clientFlags) findEndpoint(t *target, ca *string) error {
	switch {
	case len(f.endpoints) > 0 && f.regionsFile != "":
		return usageError("--endpoint and --regions exclude each other")
	case f.regionsFile != "":
		file, err := readRegionsFile(f.regionsFile)
		if err != nil {
			return usageError("--regions: %w", err)
		}
		return t.use(file, f.region, f.regionsFile, ca)
	case len(f.endpoints) > 0:
		t.endpoints = f.endpoints
	case os.Getenv("MERIDIAN_ENDPOINT") != "":
		t.endpoints = strings.Split(os.Getenv("MERIDIAN_ENDPOINT"), ",")
	}
	if *ca == "" {
		*ca = os.Getenv("MERIDIAN_CA_FILE")
	}
	dev, err := readDevFile()
	if len(t.endpoints) == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			return usageError("no endpoint: give --endpoint or MERIDIAN_ENDPOINT, or start one here: meridian dev")
		}
		if errors.Is(err, errDevDied) {
			return err
		}
		if err != nil {
			return fmt.Errorf("the dev instance's file: %w", err)
		}
		return t.use(dev, f.region, "the dev instance", ca)
	}
	for i, e := range t.endpoints {
		e = strings.TrimSpace(e)
		typed := e
		if !strings.Contains(e, "://") {
			e = "https://" + e
		}
		u, err := url.Parse(e)
		if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return usageError("endpoint %q: want https://HOST:PORT or http://HOST:PORT, and nothing behind", redacted(u, typed))
		}
		t.endpoints[i] = strings.TrimSuffix(e, "/")
	}
	if err == nil { // another's broken dev file is of no interest here
		t.recognize(dev, ca)
	}
	switch {
	case f.region == "" || t.known != nil && t.known.ID == f.region:
		return nil
	case t.known != nil && len(f.endpoints) == 0: // as "meridian dev env" names the first
		*ca = f.ca // each region has its own
		return t.use(dev, f.region, "the dev instance", ca)
	}
	return usageError("--region chooses among the regions of --regions or of the dev instance; an endpoint names one by itself")
}

// redacted is an endpoint as it was typed, without a password in it.
func redacted(u *url.URL, typed string) string {
	if u != nil && u.User != nil {
		return u.Redacted()
	}
	return typed
}

// toRegion points a target at another region of a file.
func (v *clientVerb) toRegion(t *target, r *readyRegion) error {
	ca := v.flags.ca
	if err := t.use(&readyFile{Regions: []readyRegion{*r}}, r.ID, "the file of regions", &ca); err != nil {
		return err
	}
	t.ca = nil
	return t.readCA(ca)
}

// readCA reads the PEM file of an authority; "" is none.
func (t *target) readCA(path string) error {
	if path == "" {
		return nil
	}
	pem, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && path == os.Getenv("MERIDIAN_CA_FILE") {
		return usageError(`MERIDIAN_CA_FILE names a file that is gone: %s. If "meridian dev env" set it, dev was started anew since: eval it again`, path)
	}
	if err != nil {
		return usageError("CA: %w", err)
	}
	t.ca = pem
	return nil
}

// use makes a region of a file the target.
func (t *target) use(file *readyFile, id, source string, ca *string) error {
	r, err := pickRegion(file, id, source)
	if err != nil {
		return err
	}
	t.known = r
	t.endpoints = r.Endpoints
	if len(t.endpoints) == 0 {
		t.endpoints = r.HTTPEndpoints
	}
	if *ca == "" {
		*ca = r.CAFile
	}
	if r.AccessKeyID != "" {
		t.accessKeyID, t.secret, t.keySource = r.AccessKeyID, crypto.Secret(r.AccessKeySecret), source
	}
	return nil
}

// pickRegion finds a region of a file by its id; "" is the first.
func pickRegion(file *readyFile, id, source string) (*readyRegion, error) {
	var ids []string
	for i := range file.Regions {
		r := &file.Regions[i]
		if id == "" || r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return nil, &exitError{exitNotFound, fmt.Errorf("%s has no region %q; it has %s", source, id, strings.Join(ids, ", "))}
}

// recognize finds the region of a file that the endpoints belong to.
func (t *target) recognize(file *readyFile, ca *string) {
	for i := range file.Regions {
		r := &file.Regions[i]
		ours := func(e string) bool { return slices.Contains(r.Endpoints, e) || slices.Contains(r.HTTPEndpoints, e) }
		if !slices.ContainsFunc(t.endpoints, func(e string) bool { return !ours(e) }) {
			t.known = r
			if *ca == "" {
				*ca = r.CAFile
			}
			return
		}
	}
}

// errNoAccessKey says that no access key was found. Where one may be given the
// command knows.
var errNoAccessKey = errors.New("no access key")

// findKey takes the access key from the flags; or keeps what the region's file
// said; or takes it from the environment, or from the profile.
func (f *clientFlags) findKey(t *target, in io.Reader) error {
	envID, envSecret := firstEnv("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY_ID"),
		firstEnv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABACLOUD_ACCESS_KEY_SECRET", "ALICLOUD_ACCESS_KEY_SECRET")
	switch {
	case f.accessKeyID != "" || f.secretFile != "":
		t.accessKeyID, t.keySource = f.accessKeyID, "the flags"
		if t.accessKeyID == "" {
			t.accessKeyID = envID
		}
		if t.accessKeyID == "" {
			return usageError("--access-key-secret-file needs --access-key-id")
		}
		secret, err := f.readSecret(t.accessKeyID == envID, envSecret, in)
		t.secret = secret
		return err
	case t.accessKeyID != "":
		return nil
	case f.profile == "" && envID != "":
		if envSecret == "" {
			return usageError("ALIBABA_CLOUD_ACCESS_KEY_ID is set, but ALIBABA_CLOUD_ACCESS_KEY_SECRET is not")
		}
		t.accessKeyID, t.secret, t.keySource = envID, crypto.Secret(envSecret), "the environment"
		return nil
	}
	p, err := f.readProfile()
	if err != nil {
		return err
	}
	if p != nil {
		t.accessKeyID, t.secret, t.keySource = p.AccessKeyID, crypto.Secret(p.AccessKeySecret), "profile "+p.Name
		return nil
	}
	if t.known != nil && t.known.AccessKeyID != "" {
		t.accessKeyID, t.secret, t.keySource = t.known.AccessKeyID, crypto.Secret(t.known.AccessKeySecret), "the dev instance"
		return nil
	}
	return errNoAccessKey
}

// maxSecret bounds a secret, in bytes.
const maxSecret = 4096

// readSecret reads the secret of an access key that a flag named: a file,
// stdin, the environment's for the same key, or the terminal.
func (f *clientFlags) readSecret(sameAsEnv bool, envSecret string, in io.Reader) (crypto.Secret, error) {
	switch {
	case f.secretFile == "-":
		return readSecretFrom(in, "stdin")
	case f.secretFile != "":
		file, err := os.Open(f.secretFile)
		if err != nil {
			return nil, usageError("--access-key-secret-file: %w", err)
		}
		defer file.Close()
		return readSecretFrom(file, f.secretFile)
	case sameAsEnv && envSecret != "":
		return crypto.Secret(envSecret), nil
	}
	if tty, ok := in.(*os.File); ok && term.IsTerminal(int(tty.Fd())) {
		fmt.Fprintf(os.Stderr, "Secret of access key %s: ", f.accessKeyID)
		secret, err := term.ReadPassword(int(tty.Fd()))
		fmt.Fprintln(os.Stderr)
		if err == nil && len(secret) == 0 {
			err = usageError("no secret was entered")
		}
		return secret, err
	}
	return nil, usageError("no secret for access key %s: give --access-key-secret-file FILE (- for stdin) or ALIBABA_CLOUD_ACCESS_KEY_SECRET with the same ALIBABA_CLOUD_ACCESS_KEY_ID", f.accessKeyID)
}

func readSecretFrom(r io.Reader, name string) (crypto.Secret, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return nil, err
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(text) > maxSecret {
		return nil, usageError("%s: want one line with the secret", name)
	}
	return crypto.Secret(secret), nil
}

func firstEnv(names ...string) string {
	for _, name := range names {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}
