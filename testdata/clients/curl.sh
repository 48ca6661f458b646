#!/usr/bin/env bash
# A node with curl alone: requests that curl signs, a bearer token, and a function
# URL that asks for signed requests. Environment: AWS_ENDPOINT_URL,
# AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, LEDGE_TOKEN, GATEWAY_URL.
set -euo pipefail
node=${AWS_ENDPOINT_URL:?}
gateway=${GATEWAY_URL:?}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

want() { # WHAT GOT PATTERN
  # shellcheck disable=SC2053 # a pattern it is
  if [[ $2 != $3 ]]; then
    echo "$1: got '$2', want '$3'" >&2
    exit 1
  fi
  echo "$1: $2"
}

# Prints "STATUS BODY".
request() { curl -s -S --max-time 30 -o "$work/body" -w '%{http_code} ' "$@" && cat "$work/body"; }
signed() { request --aws-sigv4 "aws:amz:us-east-1:lambda" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$@"; }

echo 'exports.handler = async (event) => ({ hello: event.name ?? "world" });' >"$work/index.js"
(cd "$work" && zip -q function.zip index.js)
printf '{"FunctionName":"curl","Runtime":"nodejs22.x","Handler":"index.handler","Role":"arn:aws:iam::123456789012:role/r","Code":{"ZipFile":"%s"}}' \
  "$(base64 -w0 "$work/function.zip")" >"$work/create.json"

want 'nobody' "$(request "$node/2015-03-31/functions/")" '403 *'
want 'created' "$(signed -X POST -H 'Content-Type: application/json' --data-binary @"$work/create.json" "$node/2015-03-31/functions")" '201 *"FunctionName":"curl"*'
want 'invoked' "$(signed -X POST -d '{"name":"Ada"}' "$node/2015-03-31/functions/curl/invocations")" '200 {"hello":"Ada"}'
want 'listed' "$(signed "$node/2015-03-31/functions/?MaxItems=10")" '200 *"curl"*'
want 'wrong secret' "$(AWS_SECRET_ACCESS_KEY=wrong signed "$node/2015-03-31/functions/")" '403 *does not match*'
want 'wrong service' "$(request --aws-sigv4 aws:amz:us-east-1:s3 --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" "$node/2015-03-31/functions/")" '403 *'
want 'token' "$(request -H "Authorization: Bearer $LEDGE_TOKEN" "$node/2015-03-31/functions/curl")" '200 *"Active"*'
want 'wrong token' "$(request -H "Authorization: Bearer ${LEDGE_TOKEN}x" "$node/2015-03-31/functions/curl")" '403 *'
want 'no such operation' "$(signed "$node/2015-03-31/functions/curl/nothing-of-the-kind")" '501 *is not implemented*'

location=$(signed "$node/2015-03-31/functions/curl" | grep -o '"Location":"[^"]*"' | cut -d'"' -f4 | sed 's/\\u0026/\&/g')
want 'link to its code' "$location" 'http*Signature=*'
want 'its code' "$(request "$location" | head -c 6)" '200 PK'
want 'another file' "$(request "${location/\/curl/\/kurl}" | head -c 3)" '403'

want 'URL for signed requests' "$(signed -X POST -d '{"AuthType":"AWS_IAM"}' "$node/2021-10-31/functions/curl/url")" '201 *"AWS_IAM"*'
id=$(grep -o '"FunctionUrl":"[^"]*"' "$work/body" | cut -d'"' -f4 | sed -E 's,^[a-z]+://([^.]+).*,\1,')
want 'unsigned' "$(request "$gateway/_aws/lambda-url/$id/")" '403 *'
want 'signed' "$(signed -H "Host: $id.lambda-url.us-east-1.localhost" "$gateway/")" '200 *hello*'
want 'removed' "$(signed -X DELETE "$node/2015-03-31/functions/curl")" '204 '
want 'gone' "$(signed "$node/2015-03-31/functions/curl")" '404 *"Message":*not found*'
