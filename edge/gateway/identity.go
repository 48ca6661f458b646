package gateway

// identity is what became known of a request's caller on the way to its route.
// The zero value is nobody.
type identity struct {
	grant  *grant // what a JWT or a Lambda authorizer said; nil: none was asked
	signed bool   // caller signed the request
	caller Caller
	key    *apiKey // nil: none was needed
	scoped bool    // the route asks for scopes
}

// grant is what an authorizer made of a JWT or of a function's answer. It is
// immutable: requests share it while it is kept.
type grant struct {
	until  int64 // when it is over, in nanoseconds since 1970
	denied bool  // a simple answer that says no

	jwt bool
	// shown is the JSON object that events show: the claims of a JWT as strings,
	// or the context of a function as it came.
	shown []byte
	// flat holds the members of requestContext.authorizer in payload format 1.0,
	// of a function only: its context, where REST APIs have strings.
	flat   []byte
	scopes []string // of a JWT
	listed []byte   // the scopes as a JSON array

	policy   *policy // of a function; nil: the whole API
	usageKey string  // usageIdentifierKey
}

// appendV2 appends requestContext.authorizer of payload format 2.0 with a comma
// behind it, or nothing.
func (who *identity) appendV2(b []byte) []byte {
	switch {
	case who.signed:
		b = append(b, `"authorizer":{"iam":{"accessKey":`...)
		b = appendString(b, []byte(who.caller.AccessKey))
		b = append(b, `,"accountId":"`+accountID+`","callerId":`...)
		b = appendString(b, []byte(who.caller.UserID))
		b = append(b, `,"cognitoIdentity":null,"principalOrgId":null,"userArn":`...)
		b = appendString(b, []byte(who.caller.ARN))
		b = append(b, `,"userId":`...)
		b = appendString(b, []byte(who.caller.UserID))
		return append(b, "}},"...)
	case who.grant == nil:
		return b
	case who.grant.jwt:
		b = append(b, `"authorizer":{"jwt":`...)
		b = who.appendClaims(b)
		return append(b, "},"...)
	}
	b = append(b, `"authorizer":{"lambda":`...)
	b = append(b, who.grant.shown...)
	return append(b, "},"...)
}

// appendV1 appends requestContext.authorizer of payload format 1.0 with a comma
// before it. HTTP APIs always have the member.
func (who *identity) appendV1(b []byte, rest bool) []byte {
	switch {
	case who.grant == nil && rest:
		return b
	case who.grant == nil:
		return append(b, `,"authorizer":{"claims":null,"scopes":null}`...)
	case who.grant.jwt:
		b = append(b, `,"authorizer":`...)
		return who.appendClaims(b)
	}
	b = append(b, `,"authorizer":{`...)
	b = append(b, who.grant.flat...)
	return append(b, '}')
}

func (who *identity) appendClaims(b []byte) []byte {
	b = append(b, `{"claims":`...)
	b = append(b, who.grant.shown...)
	b = append(b, `,"scopes":`...)
	if who.scoped {
		b = append(b, who.grant.listed...)
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

// appendIdentity appends the first members of requestContext.identity of payload
// format 1.0.
func (who *identity) appendIdentity(b []byte, rest bool) []byte {
	caller, account := who.caller, ""
	if who.signed {
		account = accountID
	}
	b = append(b, `"accessKey":`...)
	b = appendStringOrNull(b, caller.AccessKey)
	b = append(b, `,"accountId":`...)
	b = appendStringOrNull(b, account)
	if rest {
		var id, value string
		if who.key != nil {
			id, value = who.key.id, who.key.value
		}
		b = append(b, `,"apiKey":`...)
		b = appendStringOrNull(b, value)
		b = append(b, `,"apiKeyId":`...)
		b = appendStringOrNull(b, id)
	}
	b = append(b, `,"caller":`...)
	b = appendStringOrNull(b, caller.UserID)
	b = append(b, `,"clientCert":null,"cognitoAuthenticationProvider":null,"cognitoAuthenticationType":null,`+
		`"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null,"user":`...)
	b = appendStringOrNull(b, caller.UserID)
	b = append(b, `,"userArn":`...)
	return appendStringOrNull(b, caller.ARN)
}
