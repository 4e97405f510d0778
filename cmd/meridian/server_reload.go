package main

import (
	"slices"
	"strings"

	"meridian/cmd/meridian/config"
)

// reloadable are the parts of the configuration that a running server takes
// over.
var reloadable = []string{"log.level", "peers", "export.allow"}

// reload reads the configuration and the certificates again. A configuration
// with a mistake in it changes nothing.
func (s *server) reload(flags *configFlags) {
	if s.certificate != nil {
		s.certificate.Reload()
	}
	l, err := flags.load()
	if err != nil {
		s.log.Error("The configuration was not reloaded; the old one stays.", "event", "config_reload_failed", "error", joinLines(err))
		return
	}
	var restart []string
	for _, path := range config.Changed(s.cfg, &l.Config) {
		if !slices.Contains(reloadable, path) {
			restart = append(restart, path)
		}
	}
	s.level.Set(logLevel(l.Config.Log.Level))
	s.cfg.Log.Level = l.Config.Log.Level
	s.cfg.Peers, s.cfg.Export = l.Config.Peers, l.Config.Export
	s.api.SetPeers(peersOf(s.cfg))
	if len(restart) > 0 {
		s.log.Warn("Some changes need a restart: "+strings.Join(restart, ", "), "event", "config_needs_restart", "keys", restart)
	}
	s.log.Info("The configuration is reloaded.", "event", "config_reloaded")
}
