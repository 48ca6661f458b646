package awsapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestSettings is the table of what a function's settings may not be, for the
// operations that change them.
func TestSettings(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	violated := func(value, at, constraint string) string {
		return fmt.Sprintf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, at, constraint)
	}
	for _, test := range []struct {
		member string
		value  any
		code   string
		says   string
	}{
		{"Timeout", 0, codeValidation, violated("0", "timeout", "Member must have value greater than or equal to 1")},
		{"Timeout", 901, codeValidation, violated("901", "timeout", "Member must have value less than or equal to 900")},
		{"MemorySize", 0, codeValidation, violated("0", "memorySize", "Member must have value greater than or equal to 1")},
		{"MemorySize", 4097, codeValidation, violated("4097", "memorySize", "Member must have value less than or equal to 4096")},
		{"Description", strings.Repeat("d", 257), codeValidation, "'description' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"Handler", "a b", codeValidation, violated("a b", "handler", `Member must satisfy regular expression pattern: [^\\s]+`)},
		{"Handler", strings.Repeat("h", 129), codeValidation, "Member must have length less than or equal to 128"},
		{"Role", "admin", codeValidation, violated("admin", "role", `Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+`)},
		{"Runtime", "cobol", codeInvalid, `\"cobol\" is not a runtime of this node`},
		{"Environment", object{"Variables": object{"A": strings.Repeat("v", 4096)}}, codeInvalid,
			"Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: 4104 bytes"},
		{"Environment", object{"Variables": object{"_HANDLER": "x"}}, codeInvalid, "Reserved keys used in this request: _HANDLER"},
		{"Environment", object{"Variables": object{"a-b": "x"}}, codeInvalid, "is not a variable name"},
		{"Environment", object{"Variables": object{"A": 1}}, codeContent, "must be a string"},
		{"Layers", []string{"mine:1"}, codeValidation, "'layers'"},
		{"Layers", []string{layerOf("absent", 1)}, codeInvalid, "Layer version " + layerOf("absent", 1) + " does not exist."},
		{"Layers", "mine", codeContent, "must be an array"},
		{"SnapStart", object{"ApplyOn": "Always"}, codeValidation, violated("Always", "snapStart.applyOn", "Member must satisfy enum value set: [PublishedVersions, None]")},
		{"TracingConfig", object{"Mode": "Loud"}, codeValidation, "tracingConfig.mode"},
		{"TracingConfig", object{"Mode": "Active"}, codeInvalid, "no X-Ray"},
		{"EphemeralStorage", object{"Size": 511}, codeValidation, "ephemeralStorage.size"},
		{"EphemeralStorage", object{"Size": 1024}, codeInvalid, "EphemeralStorage is not supported"},
		{"LoggingConfig", object{"LogFormat": "XML"}, codeValidation, "loggingConfig.logFormat"},
		{"LoggingConfig", object{"LogFormat": "JSON"}, codeInvalid, "LoggingConfig JSON is not supported"},
		{"LoggingConfig", object{"LogGroup": "/mine"}, codeInvalid, "/aws/lambda/hello"},
		{"VpcConfig", object{"SubnetIds": []string{"subnet-1"}, "SecurityGroupIds": []string{"sg-1"}}, codeInvalid, "VpcConfig is not supported"},
		{"KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/1", codeInvalid, "KMS"},
		{"DeadLetterConfig", object{"TargetArn": "arn:aws:sqs:us-east-1:000000000000:q"}, codeInvalid, "on-failure destination"},
		{"FileSystemConfigs", []object{{"Arn": "a", "LocalMountPath": "/mnt/a"}}, codeInvalid, "EFS"},
		{"ImageConfig", object{"Command": []string{"x"}}, codeInvalid, "container images"},
		{"DurableConfig", object{"ExecutionTimeout": 1}, codeInvalid, "durable"},
		{"TenancyConfig", object{"TenantIsolationMode": "PER_TENANT"}, codeInvalid, "TenancyConfig"},
		{"CapacityProviderConfig", object{}, codeInvalid, "CapacityProviderConfig"},
		{"Ledge", object{"Concurrency": -2}, codeInvalid, "Concurrency"},
	} {
		t.Run(fmt.Sprintf("%s %.20v", test.member, test.value), func(t *testing.T) {
			n.t = t
			n.unchanged(func() {
				n.refused(400, test.code, test.says, "PUT", functions+"/hello/configuration", object{test.member: test.value})
				create := object{"FunctionName": "new", "Code": object{"ZipFile": command("")}, test.member: test.value}
				if test.member == "LoggingConfig" {
					create["FunctionName"] = "hello2"
					test.says = strings.ReplaceAll(test.says, "/hello", "/hello2")
				}
				n.refused(400, test.code, test.says, "POST", functions, create)
			})
		})
	}
}

// Two wrong members are told in one answer.
func TestSeveralViolations(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	n.refused(400, codeValidation, "2 validation errors detected: Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1; Value '0' at 'memorySize' failed",
		"PUT", functions+"/hello/configuration", object{"Timeout": 0, "MemorySize": 0})
}

// Members that say what is so anyway are taken, as tools send them.
func TestHarmlessSettings(t *testing.T) {
	n := newNode(t)
	r := n.want(http.StatusCreated, "POST", functions, object{
		"FunctionName": "hello", "Code": object{"ZipFile": command("")}, "PackageType": "Zip", "Architectures": []string{"arm64"},
		"Role": "arn:aws:iam::123456789012:role/service-role/x", "TracingConfig": object{"Mode": "PassThrough"},
		"EphemeralStorage": object{"Size": 512}, "SnapStart": object{"ApplyOn": "PublishedVersions"},
		"LoggingConfig": object{"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"},
		"VpcConfig":     object{"SubnetIds": []string{}, "SecurityGroupIds": []string{}}, "KMSKeyArn": "",
		"DeadLetterConfig": object{"TargetArn": ""}, "FileSystemConfigs": []object{}, "ImageConfig": object{},
		"DurableConfig": nil, "Layers": []string{}, "Publish": true,
	})
	for path, want := range map[string]string{
		"Architectures": "[arm64]", "SnapStart.ApplyOn": "PublishedVersions", "SnapStart.OptimizationStatus": "On",
		"Layers": "<nil>", "State": "Active", "LastUpdateStatus": "Successful", "Version": "1",
	} {
		if got := r.text(t, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	latest := n.want(http.StatusOK, "PUT", functions+"/hello/code", object{"ZipFile": command("2"), "Architectures": []string{"x86_64"}})
	if latest.text(t, "SnapStart.OptimizationStatus") != "Off" || latest.text(t, "Architectures") != "[x86_64]" {
		t.Errorf("$LATEST %s", latest.body)
	}
	// As node-lambda sends what nobody has set.
	n.want(http.StatusOK, "PUT", functions+"/hello/configuration", object{"TracingConfig": object{}, "DeadLetterConfig": object{},
		"Environment": object{}, "LoggingConfig": object{}, "SnapStart": object{}, "VpcConfig": object{}, "KMSKeyArn": "", "Layers": []string{}})
	if off := n.want(http.StatusOK, "PUT", functions+"/hello/configuration", object{"SnapStart": object{"ApplyOn": "None"}}); off.text(t, "SnapStart.ApplyOn") != "None" {
		t.Errorf("SnapStart %s", off.body)
	}
}

// TestCode is the table of what cannot be deployed, by its members.
func TestCode(t *testing.T) {
	n := newNode(t)
	n.create("hello")
	for _, test := range []struct {
		name string
		body object
		code string
		says string
	}{
		{"object in S3", object{"S3Bucket": "b", "S3Key": "k"}, codeInvalid, "not from S3"},
		{"image", object{"ImageUri": "x"}, codeInvalid, "image"},
		{"encrypted", object{"ZipFile": command(""), "SourceKMSKeyArn": "arn"}, codeInvalid, "KMS"},
		{"none", object{}, codeInvalid, "Please provide a source for function code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.t = t
			n.unchanged(func() {
				n.refused(400, test.code, test.says, "POST", functions, object{"FunctionName": "new", "Code": test.body})
				n.refused(400, test.code, test.says, "PUT", functions+"/hello/code", test.body)
			})
		})
	}
	n.t = t
	n.unchanged(func() {
		for _, test := range []struct {
			member string
			value  any
			code   string
			says   string
		}{
			{"Architectures", []string{"riscv64"}, codeValidation, "Member must satisfy enum value set: [x86_64, arm64]"},
			{"Architectures", []string{}, codeValidation, "Member must have length greater than or equal to 1"},
			{"PublishTo", "LATEST_PUBLISHED", codeInvalid, "PublishTo"},
		} {
			n.refused(400, test.code, test.says, "POST", functions, object{"FunctionName": "new", "Code": object{"ZipFile": command("")}, test.member: test.value})
			n.refused(400, test.code, test.says, "PUT", functions+"/hello/code", object{"ZipFile": command(""), test.member: test.value})
		}
		n.refused(400, codeValidation, "packageType", "POST", functions, object{"FunctionName": "new", "PackageType": "Tar"})
		n.refused(400, codeInvalid, "PackageType Image", "POST", functions, object{"FunctionName": "new", "PackageType": "Image"})
		n.refused(400, codeInvalid, "AWS Signer", "POST", functions, object{"FunctionName": "new", "CodeSigningConfigArn": "arn"})
	})
	if err := (&code{ZipFile: make([]byte, maxZip+1)}).check(); err == nil || faultOf(err).Code != codeEntityTooLarge || faultOf(err).Status != 413 {
		t.Errorf("a zip that is too large: %v", err)
	}
	if err := (&code{ZipFile: make([]byte, maxZip)}).check(); err != nil {
		t.Errorf("the largest zip: %v", err)
	}
}

// layerOf is the ARN of a layer version on this node.
func layerOf(name string, version int) string {
	return fmt.Sprintf("arn:aws:lambda:eu-north-1:000000000000:layer:%s:%d", name, version)
}
