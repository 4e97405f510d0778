package v3

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strconv"

	openapiutil "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

// way is a method and a place for the parameters.
type way struct{ method, place string }

// ways sends one and the same request in each way that the SDK's base has; the typed part posts all in the query alone.
// Terraform and the command line use this base, and parameters that the typed part has no field for.
func ways(c, _ *caller) {
	key, text := c.newKey(), c.random(4096)
	context := `{"app":"payments","ordre":"n° 7 & 8 = <15>"}`
	for _, w := range []way{{"POST", "query"}, {"POST", "form"}, {"POST", "both"}, {"GET", "query"}} {
		for range c.clients {
			sealed := c.ask(w, "Encrypt", map[string]string{"KeyId": key, "Plaintext": *encode(text), "EncryptionContext": context})
			blob, ok := sealed["CiphertextBlob"].(string)
			if !ok {
				c.Fatalf("Encrypt answers %v", sealed)
			}
			opened := c.ask(w, "Decrypt", map[string]string{"CiphertextBlob": blob, "EncryptionContext.app": "payments", "EncryptionContext.ordre": "n° 7 & 8 = <15>"})
			if plaintext, ok := opened["Plaintext"].(string); !ok || !bytes.Equal(c.decode(&plaintext), text) {
				c.Errorf("%s, parameters in the %s: opens to something else", w.method, w.place)
			}
		}
	}
	c.lacking(key)
}

// lacking sends what the typed part has no field for.
func (c *caller) lacking(key string) {
	c.Helper()
	query := way{"POST", "query"}
	c.ask(query, "SetDeletionProtection", map[string]string{"KeyId": key, "EnableDeletionProtection": "true"})
	if got := tea.StringValue(c.describe(key).DeletionProtection); got != "Enabled" {
		c.Errorf("deletion protection %s", got)
	}
	c.ask(query, "SetDeletionProtection", map[string]string{"KeyId": key, "EnableDeletionProtection": "false"})
	c.ask(query, "CreateKey", map[string]string{"KeyStorageMechanism": "Internal"})
	_, err := c.send(query, "GenerateDataKey", map[string]string{"KeyId": key, "Recipient": "{}"})
	c.wantRefusal("Recipient", err, http.StatusBadRequest, "UnsupportedOperation")
	_, err = c.send(way{"PUT", "query"}, "DescribeRegions", nil)
	c.wantRefusal("PUT", err, http.StatusForbidden, "UnsupportedHTTPMethod")
}

func (c *caller) ask(w way, action string, parameters map[string]string) map[string]any {
	c.Helper()
	answer, err := c.send(w, action, parameters)
	if err != nil {
		c.Fatalf("%s, parameters in the %s: %s: %v", w.method, w.place, action, err)
	}
	return answer
}

// send sends a request to the next node, with its parameters in the query, in the form, or in turns in both.
func (c *caller) send(w way, action string, parameters map[string]string) (map[string]any, error) {
	request := &openapiutil.OpenApiRequest{Query: map[string]*string{}}
	form := map[string]any{}
	inForm := w.place == "form"
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if inForm {
			form[name] = parameters[name]
		} else {
			request.Query[name] = tea.String(parameters[name])
		}
		inForm = inForm != (w.place == "both")
	}
	if len(form) > 0 {
		request.Body = form
	}
	answer, err := c.node().CallApi(&openapiutil.Params{
		Action: &action, Version: tea.String("2016-01-20"), Protocol: &c.scheme, Method: &w.method, Pathname: tea.String("/"),
		AuthType: tea.String("AK"), Style: tea.String("RPC"), ReqBodyType: tea.String("formData"), BodyType: tea.String("json"),
	}, request, &dara.RuntimeOptions{})
	if err != nil {
		return nil, err
	}
	body, ok := answer["body"].(map[string]any)
	if !ok {
		c.Fatalf("%s answers %s", action, strconv.Quote(tea.Prettify(answer)))
	}
	return body, nil
}
