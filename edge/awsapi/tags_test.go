package awsapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTags(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.want(http.StatusCreated, "POST", functions+"/hello/versions", nil)
	const arn = "arn:aws:lambda:eu-north-1:000000000000:function:hello"
	mapping := n.want(http.StatusAccepted, "POST", mappingsPath, object{"FunctionName": "hello", "EventSourceArn": feed, "StartingPosition": "LATEST", "Tags": object{"a": "0"}})
	many := object{}
	for i := range maxTags {
		many[fmt.Sprint("t", i)] = "x"
	}
	for _, resource := range []string{arn, mapping.text(t, "EventSourceMappingArn")} {
		path := "/2017-03-31/tags/" + url.PathEscape(resource)
		list := func() string { t.Helper(); return string(n.want(http.StatusOK, "GET", path, nil).body) }
		n.want(http.StatusNoContent, "POST", path, object{"Tags": object{"a": "1", "b": "2", "Größe/é": "a b_.:/=+-@"}})
		if got := list(); got != `{"Tags":{"Größe/é":"a b_.:/=+-@","a":"1","b":"2"}}` {
			t.Errorf("tags of %s: %s", resource, got)
		}
		n.want(http.StatusNoContent, "DELETE", path+"?tagKeys=a&tagKeys="+url.QueryEscape("Größe/é")+"&tagKeys=absent", nil)
		if got := list(); got != `{"Tags":{"b":"2"}}` {
			t.Errorf("tags of %s: %s", resource, got)
		}
		n.unchanged(func() {
			for _, test := range []struct {
				tags object
				code string
				says string
			}{
				{object{"aws:x": "1"}, codeInvalid, "reserved"},
				{object{"AWS:x": "1"}, codeInvalid, "reserved"},
				{object{"": "1"}, codeValidation, "tags.key"},
				{object{strings.Repeat("k", 129): "1"}, codeValidation, "less than or equal to 128"},
				{object{"k": strings.Repeat("v", 257)}, codeValidation, "less than or equal to 256"},
				{object{"k": "<script>"}, codeValidation, "regular expression"},
				{many, codeInvalid, "51 tags are more than 50"},
			} {
				n.refused(400, test.code, test.says, "POST", path, object{"Tags": test.tags})
			}
			n.refused(400, codeValidation, "Value null at 'tags'", "POST", path, object{})
			n.refused(400, codeValidation, "Value null at 'tagKeys'", "DELETE", path, nil)
		})
		if got := list(); got != `{"Tags":{"b":"2"}}` {
			t.Errorf("a refusal changed the tags of %s: %s", resource, got)
		}
	}
	if r := n.want(http.StatusOK, "GET", functions+"/hello:1", nil); r.text(t, "Tags.b") != "2" {
		t.Errorf("a version shows %s", r.body)
	}
	n.refused(400, codeInvalid, "not supported", "POST", "/2017-03-31/tags/"+arn+":1", object{"Tags": object{"a": "b"}})
	n.refused(400, codeValidation, "resource", "GET", "/2017-03-31/tags/hello", nil)
	n.refused(400, codeValidation, "functionName", "GET", "/2017-03-31/tags/arn:aws:s3:::bucket", nil)
	n.refused(404, codeNotFound, "Function not found", "GET", "/2017-03-31/tags/"+strings.Replace(arn, "hello", "nobody", 1), nil)
	n.refused(404, codeNotFound, "Function not found", "POST", "/2017-03-31/tags/"+strings.Replace(arn, "hello", "nobody", 1), object{"Tags": object{"a": "b"}})
	n.refused(404, codeNotFound, "does not exist", "GET", "/2017-03-31/tags/"+strings.Replace(mapping.text(t, "EventSourceMappingArn"), mapping.text(t, "UUID"), strings.Repeat("0", 36), 1), nil)
	n.refused(400, codeInvalid, "reserved", "POST", functions, object{"FunctionName": "new", "Code": object{"ZipFile": command("")}, "Tags": object{"aws:a": "b"}})
	// Tags are not settings: nothing has to be deployed again for them.
	before := n.want(http.StatusOK, "GET", functions+"/hello/configuration", nil).text(t, "RevisionId")
	n.want(http.StatusNoContent, "POST", "/2017-03-31/tags/"+arn, object{"Tags": object{"c": "3"}})
	if after := n.want(http.StatusOK, "GET", functions+"/hello/configuration", nil).text(t, "RevisionId"); after != before {
		t.Errorf("the revision changed from %s to %s", before, after)
	}
}
