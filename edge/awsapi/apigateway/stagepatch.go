package apigateway

import (
	"slices"
	"strings"

	"ledge/persist"
)

// allMethods is the key of a REST stage's settings for all its methods.
const allMethods = "*/*"

// patchStage applies patch operations to a REST API's stage. Settings of
// methods have paths of their own, see settingPath.
func patchStage(st *persist.APIStage, patches []patchOperation) error {
	rules := []patchRule{
		text("/description", &st.Description), text("/deploymentId", &st.Deployment),
		texts("/variables/*", &st.Variables),
		refused("/cacheClusterEnabled", whyNoCache, "false"), refused("/cacheClusterSize", whyNoCache),
		refused("/tracingEnabled", whyNoTracing, "false"),
		refused("/clientCertificateId", "an integration with a function has no TLS"),
		refused("/documentationVersion", whyNoDocumentation),
		refused("/accessLogSettings/*", whyNoLog), refused("/accessLogSettings", whyNoLog),
		refused("/canarySettings/*", whyNoCanary), refused("/canarySettings", whyNoCanary),
	}
	for _, p := range patches {
		key, setting, isSetting := settingPath(p.Path)
		if isSetting {
			if err := patchSetting(st, key, setting, p); err != nil {
				return err
			}
			continue
		}
		if p.Op == "remove" {
			if key, ok := settingKey(p.Path); ok {
				if _, there := st.Settings[key]; !there { // Terraform looks for these words
					return badRequest("Cannot remove method setting %.300s because there is no method setting for this method", key)
				}
				delete(st.Settings, key)
				continue
			}
		}
		if err := patch([]patchOperation{p}, rules); err != nil {
			return err
		}
	}
	return nil
}

// settingNames are the settings of methods that exist
// (https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch).
func settingNames() []string {
	return []string{
		"metrics/enabled", "logging/loglevel", "logging/dataTrace",
		"throttling/burstLimit", "throttling/rateLimit",
		"caching/enabled", "caching/ttlInSeconds", "caching/dataEncrypted",
		"caching/requireAuthorizationForCacheControl", "caching/unauthorizedCacheControlHeaderStrategy",
	}
}

// settingPath splits a path such as /~1hello/GET/throttling/rateLimit, or
// /hello/GET/..., into the method's key, hello/GET, and the setting.
func settingPath(path string) (key, setting string, ok bool) {
	for _, name := range settingNames() {
		if method, found := strings.CutSuffix(path, "/"+name); found {
			key, ok = settingKey(method)
			return key, name, ok
		}
	}
	return "", "", false
}

// settingKey returns the key of a method that a path names: */* or hello/GET.
func settingKey(path string) (key string, ok bool) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 || !strings.HasPrefix(path, "/") {
		return "", false
	}
	name := path[at+1:]
	resource := strings.Trim(pointerSegment(path[:at]), "/")
	if name == "*" && resource == "*" {
		return allMethods, true
	}
	return resource + "/" + name, slices.Contains(methodNames(), name)
}

// maxSettings bounds the methods of a stage that have settings of their own.
const maxSettings = 500

func patchSetting(st *persist.APIStage, key, setting string, p patchOperation) error {
	if p.Op != "add" && p.Op != "replace" && p.Op != "remove" {
		return badRequest("Invalid patch operation '%s' for %s. Must be one of: [add, replace, remove]", p.Op, p.Path)
	}
	if st.Settings == nil {
		st.Settings = make(map[string]persist.MethodSettings)
	}
	set, known := st.Settings[key]
	if !known && len(st.Settings) >= maxSettings {
		return limitExceeded("A stage has settings for at most %d methods", maxSettings)
	}
	if p.Op == "remove" {
		p.Value = ""
	}
	if err := applySetting(&set, setting, p); err != nil {
		return err
	}
	// Settings that say what is so anyway are kept too: who made them reads them back.
	if st.Settings[key] = set; p.Op == "remove" && set == (persist.MethodSettings{}) {
		delete(st.Settings, key)
	}
	return nil
}

func applySetting(set *persist.MethodSettings, setting string, p patchOperation) (err error) {
	isTrue := strings.EqualFold(p.Value, "true")
	switch setting {
	case "throttling/rateLimit":
		if set.Rate = nil; p.Value != "" {
			set.Rate, err = parseRate(p.Value)
		}
	case "throttling/burstLimit":
		if set.Burst = nil; p.Value != "" {
			set.Burst, err = parseBurst(p.Value)
		}
	case "metrics/enabled":
		set.Metrics = isTrue
	case "logging/dataTrace":
		set.DataTrace = isTrue
	case "logging/loglevel":
		if !slices.Contains([]string{"", "OFF", "ERROR", "INFO"}, p.Value) {
			return badRequest("Invalid logging level specified. Must be one of: [OFF, ERROR, INFO]")
		}
		set.LogLevel = p.Value
	case "caching/enabled":
		if isTrue {
			return notImplemented("%s is not supported by this node: %s", p.Path, whyNoCache)
		}
	default:
		// How a cache would be used changes nothing where there is none.
	}
	return err
}
