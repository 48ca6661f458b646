#!/usr/bin/env bash
# The tutorials of AWS Lambda and API Gateway, word for word, with Debian's AWS CLI
# against a node: create a function, upload its code, create an API, a resource
# /hello, a method GET, point it at the function, deploy, open /hello
# (https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-tutorial.html).
# It removes what it made.
#
#   eval "$(ledge keys create tutorial --env)"
#   testdata/clients/tutorial.sh
#
# GATEWAY_URL is where the node serves HTTP, http://localhost:8080 if it is not set.
set -euo pipefail
: "${AWS_ENDPOINT_URL:?run this first: eval "\$(ledge keys create tutorial --env)"}"
gateway=${GATEWAY_URL:-http://localhost:8080}
export AWS_PAGER='' AWS_DEFAULT_OUTPUT=text AWS_MAX_ATTEMPTS=1
region=${AWS_DEFAULT_REGION:-us-east-1}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's AWS CLI is older than AWS_ENDPOINT_URL.
aws() {
  echo "\$ aws $*" >&2
  command "${AWS_CLI:-/usr/bin/aws}" --endpoint-url "$AWS_ENDPOINT_URL" "$@"
}

step() { echo "== $*"; }

# want WHAT GOT PATTERN: ends the script where GOT is not like PATTERN.
want() {
  # shellcheck disable=SC2053 # a pattern it is
  if [[ $2 != $3 ]]; then
    echo "$1: got '$2', want '$3'" >&2
    exit 1
  fi
  echo "   $1: $2"
}

# refused CODE COMMAND...: the command must fail with that error.
refused() {
  local code=$1 said
  shift
  if said=$("$@" 2>&1 >/dev/null); then
    echo "not refused: $*" >&2
    exit 1
  fi
  want "refused, as it should be" "$said" "*An error occurred ($code)*"
}

open_url() { curl --silent --show-error --fail-with-body --max-time 20 "$@"; }

step 'Who am I?'
aws sts get-caller-identity --query Arn

step 'Create a function'
cat >"$work/lambda_function.py" <<'PY'
import json

def lambda_handler(event, context):
    name = (event.get("queryStringParameters") or {}).get("name", event.get("name", "world"))
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": f"Hello {name}", "path": event.get("path") or event.get("rawPath")}),
    }
PY
(cd "$work" && zip -q function.zip lambda_function.py)
arn=$(aws lambda create-function --function-name my-function --runtime python3.12 \
  --zip-file "fileb://$work/function.zip" --handler lambda_function.lambda_handler \
  --role arn:aws:iam::123456789012:role/lambda-ex --query FunctionArn)
want 'its ARN' "$arn" "arn:aws:lambda:$region:*:function:my-function"
aws lambda wait function-active --function-name my-function
aws lambda wait function-active-v2 --function-name my-function
want 'its state' "$(aws lambda get-function --function-name my-function --query Configuration.State)" Active

step 'Invoke it'
want 'status and version' "$(aws lambda invoke --function-name my-function --cli-binary-format raw-in-base64-out \
  --payload '{"name":"Ada"}' --query '[StatusCode,ExecutedVersion]' "$work/out.json")" $'200\t$LATEST'
want 'its result' "$(<"$work/out.json")" '*Hello Ada*'
want 'the end of its log' "$(aws lambda invoke --function-name my-function --log-type Tail --query LogResult \
  "$work/out.json" | base64 --decode)" '*START RequestId: *REPORT RequestId: *'

step 'Create a REST API'
api=$(aws apigateway create-rest-api --name my-api --description 'My API' --query id)
root=$(aws apigateway get-resources --rest-api-id "$api" --query 'items[0].id')
resource=$(aws apigateway create-resource --rest-api-id "$api" --parent-id "$root" --path-part hello --query id)
want 'its method' "$(aws apigateway put-method --rest-api-id "$api" --resource-id "$resource" --http-method GET \
  --authorization-type NONE --query httpMethod)" GET
want 'its integration' "$(aws apigateway put-integration --rest-api-id "$api" --resource-id "$resource" --http-method GET \
  --type AWS_PROXY --integration-http-method POST \
  --uri "arn:aws:apigateway:$region:lambda:path/2015-03-31/functions/$arn/invocations" --query type)" AWS_PROXY
aws lambda add-permission --function-name my-function --statement-id apigateway-get \
  --action lambda:InvokeFunction --principal apigateway.amazonaws.com \
  --source-arn "arn:aws:execute-api:$region:123456789012:$api/*/GET/hello" --query Statement >/dev/null
want 'who may invoke it' "$(aws lambda get-policy --function-name my-function --query Policy)" '*"apigateway-get"*apigateway.amazonaws.com*'
deployment=$(aws apigateway create-deployment --rest-api-id "$api" --stage-name prod --query id)
want 'its stage' "$(aws apigateway get-stages --rest-api-id "$api" --query 'item[0].[stageName,deploymentId]')" "prod	$deployment"

step 'Open /hello'
want 'by path' "$(open_url "$gateway/_aws/execute-api/$api/prod/hello?name=Grace")" '*Hello Grace*/hello*'
want 'by host name' "$(open_url -H "Host: $api.execute-api.localhost" "$gateway/prod/hello")" '*Hello world*'
want 'what is not there' "$(curl -s -o "$work/body" -w '%{http_code} ' "$gateway/_aws/execute-api/$api/prod/nothing"; cat "$work/body")" \
  '403 *Missing Authentication Token*'

step 'Update the code'
sed -i 's/Hello {name}/Good morning {name}/' "$work/lambda_function.py"
(cd "$work" && zip -q function.zip lambda_function.py)
aws lambda update-function-code --function-name my-function --zip-file "fileb://$work/function.zip" --query LastUpdateStatus
aws lambda wait function-updated --function-name my-function
aws lambda wait function-updated-v2 --function-name my-function
want 'the page' "$(open_url "$gateway/_aws/execute-api/$api/prod/hello?name=Grace")" '*Good morning Grace*'

step 'Publish versions and an alias'
# Version numbers are never used again, also for a function that is made anew.
first=$(aws lambda publish-version --function-name my-function --query Version)
want 'a version' "$first" '[1-9]*'
aws lambda update-function-configuration --function-name my-function --memory-size 256 --timeout 10 \
  --environment 'Variables={STAGE=test}' --query '[MemorySize,Timeout]'
aws lambda wait function-updated --function-name my-function
second=$(aws lambda publish-version --function-name my-function --description second --query Version)
want 'the next' "$second" $((first + 1))
aws lambda wait published-version-active --function-name my-function --qualifier "$second"
want 'an alias' "$(aws lambda create-alias --function-name my-function --name live --function-version "$first" --query AliasArn)" "$arn:live"
want 'with a weight' "$(aws lambda update-alias --function-name my-function --name live \
  --routing-config "AdditionalVersionWeights={$second=0.5}" --query "RoutingConfig.AdditionalVersionWeights.\"$second\"")" 0.5
aws lambda update-alias --function-name my-function --name live --function-version "$second" --routing-config '{}' --query FunctionVersion
want 'which version it leads to' "$(aws lambda invoke --function-name my-function:live --query ExecutedVersion "$work/out.json")" "$second"
want 'all versions' "$(aws lambda list-versions-by-function --function-name my-function --query 'Versions[].Version')" \
  $'$LATEST\t'"$first"$'\t'"$second"

step 'Create an HTTP API, quickly'
http=$(aws apigatewayv2 create-api --name my-http-api --protocol-type HTTP --target "$arn" --query ApiId)
want 'its stage' "$(aws apigatewayv2 get-stages --api-id "$http" --query 'Items[0].[StageName,AutoDeploy]')" $'$default\tTrue'
want 'the page' "$(open_url "$gateway/_aws/execute-api/$http/any/where?name=Linus")" '*Good morning Linus*/any/where*'

step 'What is refused'
refused ResourceNotFoundException aws lambda get-function --function-name nobody
refused ResourceConflictException aws lambda create-function --function-name my-function --runtime python3.12 \
  --zip-file "fileb://$work/function.zip" --handler lambda_function.lambda_handler --role arn:aws:iam::123456789012:role/lambda-ex
refused NotFoundException aws apigateway get-rest-api --rest-api-id nobody1234
AWS_SECRET_ACCESS_KEY=wrong refused InvalidSignatureException aws lambda list-functions
AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE refused UnrecognizedClientException aws lambda list-functions

step 'Delete it all'
aws apigatewayv2 delete-api --api-id "$http"
aws apigateway delete-rest-api --rest-api-id "$api"
aws lambda delete-function --function-name my-function
want 'APIs that are left' "$(aws apigateway get-rest-apis --query 'length(items)')" 0
want 'functions that are left' "$(aws lambda list-functions --query 'length(Functions)')" 0
echo 'All of it works.'
