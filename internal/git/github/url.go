package github

import (
	"net/url"
	"strings"
)

// ConfigOf finds the repository, and the API of its server, from the URL by which git
// reaches it: https://HOST/OWNER/NAME, ssh://git@HOST/OWNER/NAME or git@HOST:OWNER/NAME,
// with or without .git. It is false for what is no such URL. It cannot know whether a
// host is one of GitHub's.
func ConfigOf(address string) (Config, bool) {
	host, path := "", ""
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		host, path = u.Host, u.Path
		if u.Scheme == "ssh" {
			host = u.Hostname() // the port is not the one of the API
		}
	} else if before, after, ok := strings.Cut(address, ":"); ok && !strings.Contains(before, "/") && !strings.HasPrefix(after, "//") {
		host, path = before[strings.LastIndexByte(before, '@')+1:], after
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	if owner, name, ok := strings.Cut(path, "/"); host == "" || !ok || owner == "" || name == "" || strings.Contains(name, "/") {
		return Config{}, false
	}
	config := Config{Repository: path}
	if host != "github.com" && host != "ssh.github.com" {
		config.API = "https://" + host + "/api/v3/"
	}
	return config, true
}
