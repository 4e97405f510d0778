package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"meridian/cluster/api/client"
)

// keyMetadata is KeyMetadata of the API's answers.
type keyMetadata struct {
	KeyId, Arn, KeyState, KeySpec, KeyUsage, Origin, ProtectionLevel        string
	Description, Creator, CreationDate, DeleteDate, PrimaryKeyVersion       string
	AutomaticRotation, RotationInterval, LastRotationDate, NextRotationDate string
	DeletionProtection, DeletionProtectionDescription, MaterialExpireTime   string
}

// keyView is a key as the command line shows it.
type keyView struct {
	ID                 string   `json:"key_id"`
	ARN                string   `json:"arn"`
	State              string   `json:"state"`
	Spec               string   `json:"spec"`
	Usage              string   `json:"usage"`
	Origin             string   `json:"origin"`
	ProtectionLevel    string   `json:"protection_level"`
	Description        string   `json:"description"`
	Creator            string   `json:"creator"`
	Created            string   `json:"created"`
	Deleted            string   `json:"delete_at,omitempty"`
	PrimaryVersion     string   `json:"primary_version,omitempty"`
	Rotation           string   `json:"automatic_rotation,omitempty"`
	RotationInterval   string   `json:"rotation_interval,omitempty"`
	LastRotation       string   `json:"last_rotation,omitempty"`
	NextRotation       string   `json:"next_rotation,omitempty"`
	DeletionProtection string   `json:"deletion_protection,omitempty"`
	ProtectedBecause   string   `json:"deletion_protection_description,omitempty"`
	MaterialExpires    string   `json:"material_expires,omitempty"`
	Aliases            []string `json:"aliases"`
	answered
}

// keyList is the result of `meridian key list`.
type keyList struct {
	Keys  []keyView `json:"keys"`
	Total int       `json:"total"`
}

func (m keyMetadata) view(r client.Response) keyView {
	return keyView{
		ID: m.KeyId, ARN: m.Arn, State: m.KeyState, Spec: m.KeySpec, Usage: m.KeyUsage, Origin: m.Origin,
		ProtectionLevel: m.ProtectionLevel, Description: m.Description, Creator: m.Creator, Created: m.CreationDate,
		Deleted: m.DeleteDate, PrimaryVersion: m.PrimaryKeyVersion, Rotation: m.AutomaticRotation,
		RotationInterval: m.RotationInterval, LastRotation: m.LastRotationDate, NextRotation: m.NextRotationDate,
		DeletionProtection: m.DeletionProtection, ProtectedBecause: m.DeletionProtectionDescription, MaterialExpires: m.MaterialExpireTime, Aliases: []string{}, answered: answeredBy(r),
	}
}

// write shows all of a key.
func (k keyView) write(w io.Writer) {
	rotation := k.Rotation
	if k.RotationInterval != "" {
		rotation += " every " + wholeDays(k.RotationInterval)
	}
	fields(w,
		"key", k.ID,
		"arn", k.ARN,
		"aliases", strings.Join(k.Aliases, ", "),
		"state", k.State,
		"to be deleted", k.Deleted,
		"spec", k.Spec+"  "+k.Usage,
		"origin", k.Origin+"  "+k.ProtectionLevel,
		"material expires", k.MaterialExpires,
		"description", k.Description,
		"created", k.Created+"  by "+k.Creator,
		"version", k.PrimaryVersion,
		"rotation", rotation,
		"last rotation", k.LastRotation,
		"next rotation", k.NextRotation,
		"deletion", k.protection(),
	)
}

func (k keyView) protection() string {
	switch {
	case k.DeletionProtection != "Enabled":
		return ""
	case k.ProtectedBecause != "":
		return "protected: " + k.ProtectedBecause
	}
	return "protected"
}

// wholeDays is a time in seconds, as the API tells it, in days if they are whole.
func wholeDays(interval string) string {
	const day = 24 * 60 * 60
	seconds, err := strconv.ParseInt(strings.TrimSuffix(interval, "s"), 10, 64)
	if err != nil || seconds%day != 0 {
		return interval
	}
	return strconv.FormatInt(seconds/day, 10) + "d"
}

// short is the id as long as people need it.
func (k keyView) short() string {
	if len(k.ID) < 8 {
		return k.ID
	}
	return k.ID[:8] + "…"
}

// preview shows what a verb is about to change.
func (k keyView) preview(w io.Writer, ref string, lines ...string) {
	fmt.Fprintf(w, "%s  (key %s, %s)\n\n", ref, k.short(), k.State)
	aliases := "none"
	if len(k.Aliases) > 0 {
		aliases = strings.Join(k.Aliases, ", ")
	}
	pairs := []string{"  aliases", aliases, "  description", k.Description, "  created", k.Created}
	fields(w, append(pairs, lines...)...)
}
