package api

import (
	"net/http/httptest"
	"testing"

	"meridian/cluster/api/batch"
	"meridian/cluster/api/client"
	"meridian/cluster/clustertest/leftover"
	"meridian/crypto"
	"meridian/store"
)

// whileServed has the client ask a listener of its own, and returns when all is over that it asked for.
func (b *batches) whileServed(t *testing.T, work func()) {
	t.Helper()
	listener := httptest.NewServer(b.server)
	defer listener.Close() // waits for what is under way
	c, err := client.New(client.Config{Endpoints: []string{listener.URL}, AccessKeyID: testAccessKey, Secret: crypto.Secret(testSecret), Now: b.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := b.client
	b.client = c
	defer func() { b.client = before }()
	work()
}

// message seals secrets for the region, as another one would.
func (b *batches) message(t *testing.T, purpose crypto.JourneyPurpose, tagKey leftover.Secret, dataKeys ...leftover.Secret) []byte {
	t.Helper()
	public, err := crypto.ParseTransportPublic(b.public)
	if err != nil {
		t.Fatal(err)
	}
	inside := tagKey.AppendTo(make([]byte, 0, 4096))
	for _, k := range dataKeys {
		inside = append(inside, byte(len(k)>>8), byte(len(k)))
		inside = k.AppendTo(inside)
	}
	defer clear(inside)
	message, err := public.Seal(crypto.Journey{From: testRegionID, To: testRegionID, Version: 1, Purpose: purpose}, inside)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// When a batch is answered neither its key of tags nor its data keys are left in the memory of the node.
func TestBatchesAreWiped(t *testing.T) {
	b := newBatches(t)
	key := b.newKey(t)
	tagKey, dataKey, last := leftover.New(crypto.TagKeyBytes), leftover.New(48), leftover.New(48)
	var rows []sealed
	look := func(t *testing.T, work func()) {
		t.Helper()
		memory := leftover.After(t, func() { b.whileServed(t, work) })
		for name, secret := range map[string]leftover.Secret{"the key of tags": tagKey, "a data key": dataKey, "the last data key": last} {
			if secret.In(memory) {
				t.Errorf("%s is left in memory", name)
			}
		}
	}
	t.Run("ImportDataKeys", func(t *testing.T) {
		look(t, func() {
			message := b.message(t, crypto.CarriesDataKeys, tagKey, dataKey, last)
			answer, err := b.rows(t, "ImportDataKeys", importBody(t, message, sealedFor{key, ``}, sealedFor{key, ``}))
			if err != nil {
				t.Fatal(err)
			}
			all := outcomes(t, batch.NewReader(answer), true)
			if len(all) != 2 || all[0].code != "" || all[1].code != "" {
				t.Fatalf("%+v", all)
			}
			rows = []sealed{{all[0].blob, ``}, {all[1].blob, ``}}
		})
	})
	t.Run("TagDataKeys", func(t *testing.T) {
		look(t, func() {
			message := b.message(t, crypto.CarriesTagKey, tagKey)
			answer, err := b.rows(t, "TagDataKeys", append(batch.AppendMessage(nil, message), sealedBody(t, rows...)...))
			if err != nil {
				t.Fatal(err)
			}
			if all := outcomes(t, batch.NewReader(answer), false); len(all) != 2 || all[0].code != "" || all[1].code != "" {
				t.Fatalf("%+v", all)
			}
		})
	})
	t.Run("ExportDataKeys", func(t *testing.T) {
		look(t, func() {
			message, all := b.export(t, b.exportBody(t, rows...))
			if len(all) != 2 || all[0].code != "" || all[1].code != "" {
				t.Fatalf("%+v", all)
			}
			// The region has drawn a key of tags, which the message holds.
			err := b.view(func(v *store.View) error {
				k, err := b.TransportKey(v, 1)
				if err != nil {
					return err
				}
				inside, err := k.Open(crypto.Journey{From: testRegionID, To: testRegionID, Version: 1, Purpose: crypto.CarriesDataKeys}, message)
				defer inside.Wipe()
				if err == nil {
					tagKey = leftover.Hide(inside[:crypto.TagKeyBytes])
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	})
}
