package main

import (
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
	return template.Must(template.New("snippets").Parse(snippets)).Execute(w, values)
}

const snippets = `aliyun CLI

    aliyun kms Encrypt --KeyId {{.Alias}} --Plaintext aGVsbG8= --endpoint {{.HTTP}} --insecure \
      --access-key-id {{.ID}} --access-key-secret {{.Secret}} --region {{.Region}}

Go (github.com/alibabacloud-go/kms-20160120/v3)

    client, err := kms.NewClient(&openapi.Config{
        AccessKeyId: tea.String("{{.ID}}"), AccessKeySecret: tea.String("{{.Secret}}"),
        Endpoint: tea.String("{{.HTTP}}"), Protocol: tea.String("http"), RegionId: tea.String("{{.Region}}"),
    })
    answer, err := client.Encrypt(&kms.EncryptRequest{
        KeyId: tea.String("{{.Alias}}"), Plaintext: tea.String("aGVsbG8="),
    })

Java (com.aliyun:kms20160120)

    Config config = new Config().setAccessKeyId("{{.ID}}").setAccessKeySecret("{{.Secret}}")
        .setEndpoint("{{.HTTP}}").setProtocol("http").setRegionId("{{.Region}}");
    EncryptResponse answer = new Client(config).encrypt(
        new EncryptRequest().setKeyId("{{.Alias}}").setPlaintext("aGVsbG8="));

Python (alibabacloud_kms20160120)

    client = Client(Config(access_key_id="{{.ID}}", access_key_secret="{{.Secret}}",
                           endpoint="{{.HTTP}}", protocol="http", region_id="{{.Region}}"))
    answer = client.encrypt(EncryptRequest(key_id="{{.Alias}}", plaintext="aGVsbG8="))

Node (@alicloud/pop-core)

    const client = new RPCClient({ accessKeyId: '{{.ID}}', accessKeySecret: '{{.Secret}}',
        endpoint: 'http://{{.HTTP}}', apiVersion: '2016-01-20' });
    const answer = await client.request('Encrypt', { KeyId: '{{.Alias}}', Plaintext: 'aGVsbG8=' });

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
