package main

import (
	"embed"
	"io"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
)

func newDevSnippetsCommand() *cobra.Command {
	var region string
	c := &cobra.Command{
		Use:   "snippets",
		Short: "Print how official clients reach the running dev instance",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := runningDevRegion(region)
			if err != nil {
				return err
			}
			return writeSnippets(c.OutOrStdout(), r)
		},
	}
	c.Flags().StringVar(&region, "region", "", "which region (default: the first)")
	return c
}

// writeSnippets prints one short program for each official client.
func writeSnippets(w io.Writer, r readyRegion) error {
	first := r.Endpoints[0]
	values := map[string]string{
		"ID": r.AccessKeyID, "Secret": r.AccessKeySecret, "Region": r.ID, "CA": r.CAFile,
		"HTTPS": strings.TrimPrefix(first, "https://"), "HTTP": strings.TrimPrefix(first, "https://"), "Alias": demoAlias,
	}
	if len(r.HTTPEndpoints) > 0 {
		values["HTTP"] = strings.TrimPrefix(r.HTTPEndpoints[0], "http://")
	}
	return template.Must(template.New("snippets").Funcs(template.FuncMap{"program": snippetProgram}).Parse(snippets)).Execute(w, values)
}

//go:embed snippets/*.txt
var snippetFiles embed.FS

// snippetProgram is one of the README's programs, indented. They read their
// environment, so one text does for every instance.
func snippetProgram(name string) (string, error) {
	text, err := snippetFiles.ReadFile("snippets/" + name + ".txt")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if line != "\n" {
			b.WriteString("    ")
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

const snippets = `Over TLS, as in production: in the shell first, and again after each start of dev

    eval "$(meridian dev env --region {{.Region}})"

Go (github.com/alibabacloud-go/kms-20160120/v3): go mod init example.com/kms && go mod tidy && go run .

{{program "go-v3.go"}}
Go, the classic SDK (github.com/aliyun/alibaba-cloud-sdk-go), run alike

{{program "go-classic.go"}}
Node.js (@alicloud/pop-core): npm init -y && npm install @alicloud/pop-core@1.8.0 && node main.js

{{program "node.js"}}
Without TLS, which dev alone listens for by itself: nothing needs to trust its CA

aliyun CLI

    aliyun kms Encrypt --KeyId {{.Alias}} --Plaintext aGVsbG8= --endpoint {{.HTTP}} --insecure \
      --access-key-id {{.ID}} --access-key-secret {{.Secret}} --region {{.Region}}

Java (com.aliyun:kms20160120)

    Config config = new Config().setAccessKeyId("{{.ID}}").setAccessKeySecret("{{.Secret}}")
        .setEndpoint("{{.HTTP}}").setProtocol("http").setRegionId("{{.Region}}");
    EncryptResponse answer = new Client(config).encrypt(
        new EncryptRequest().setKeyId("{{.Alias}}").setPlaintext("aGVsbG8="));

Python (alibabacloud_kms20160120)

    client = Client(Config(access_key_id="{{.ID}}", access_key_secret="{{.Secret}}",
                           endpoint="{{.HTTP}}", protocol="http", region_id="{{.Region}}"))
    answer = client.encrypt(EncryptRequest(key_id="{{.Alias}}", plaintext="aGVsbG8="))

Terraform (aliyun/alicloud)

    provider "alicloud" {
      access_key = "{{.ID}}"
      secret_key = "{{.Secret}}"
      region     = "{{.Region}}"
      protocol   = "HTTP"
      skip_region_validation = true
      endpoints { kms = "{{.HTTP}}" }
    }

With TLS instead: endpoint {{.HTTPS}}, protocol https, and {{.CA}} among the trusted CAs.
`
