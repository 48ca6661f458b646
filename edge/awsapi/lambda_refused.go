package awsapi

import "ledge/edge/awsapi/restjson"

// refusedLambda are the operations of AWS Lambda that the node has not, each
// with its reason.
func refusedLambda() []restjson.Operation {
	const (
		signing    = "there is no AWS Signer; a node runs what its keys may deploy"
		capacity   = "a node has only its own capacity"
		durable    = "there are no durable executions"
		sharing    = "layers are not shared between accounts; every function of the node may use every layer"
		resource   = "use AddPermission, GetPolicy and RemovePermission"
		scaling    = "use PutFunctionConcurrency and PutProvisionedConcurrencyConfig"
		layer      = "/2018-10-31/layers/{layer}/versions/{version}/policy"
		configs    = "/2020-04-22/code-signing-configs"
		own        = "/2020-06-30/functions/{name}/code-signing-config"
		providers  = "/2025-11-30/capacity-providers"
		scalings   = "/2025-11-30/functions/{name}/function-scaling-config"
		executions = "/2025-12-01/durable-executions/{arn}"
		callbacks  = "/2025-12-01/durable-execution-callbacks/{id}"
		policy     = "/2026-07-09/resource-policy/{arn}"
	)
	var refused []restjson.Operation
	add := func(why string, access restjson.Access, names ...[2]string) {
		for _, n := range names {
			refused = append(refused, lambdaOp(n[0], n[1], access, nil, why))
		}
	}
	add(signing, restjson.Deploy,
		[2]string{"CreateCodeSigningConfig", "POST " + configs}, [2]string{"UpdateCodeSigningConfig", "PUT " + configs + "/{arn}"},
		[2]string{"DeleteCodeSigningConfig", "DELETE " + configs + "/{arn}"},
		[2]string{"PutFunctionCodeSigningConfig", "PUT " + own}, [2]string{"DeleteFunctionCodeSigningConfig", "DELETE " + own})
	add(signing, restjson.Read,
		[2]string{"GetCodeSigningConfig", "GET " + configs + "/{arn}"}, [2]string{"ListCodeSigningConfigs", "GET " + configs},
		[2]string{"ListFunctionsByCodeSigningConfig", "GET " + configs + "/{arn}/functions"})
	add(capacity, restjson.Deploy,
		[2]string{"CreateCapacityProvider", "POST " + providers}, [2]string{"UpdateCapacityProvider", "PUT " + providers + "/{provider}"},
		[2]string{"DeleteCapacityProvider", "DELETE " + providers + "/{provider}"})
	add(capacity, restjson.Read,
		[2]string{"GetCapacityProvider", "GET " + providers + "/{provider}"}, [2]string{"ListCapacityProviders", "GET " + providers},
		[2]string{"ListFunctionVersionsByCapacityProvider", "GET " + providers + "/{provider}/function-versions"})
	add(scaling, restjson.Deploy, [2]string{"PutFunctionScalingConfig", "PUT " + scalings})
	add(scaling, restjson.Read, [2]string{"GetFunctionScalingConfig", "GET " + scalings})
	add(durable, restjson.Invoke,
		[2]string{"CheckpointDurableExecution", "POST " + executions + "/checkpoint"}, [2]string{"StopDurableExecution", "POST " + executions + "/stop"},
		[2]string{"SendDurableExecutionCallbackSuccess", "POST " + callbacks + "/succeed"},
		[2]string{"SendDurableExecutionCallbackFailure", "POST " + callbacks + "/fail"},
		[2]string{"SendDurableExecutionCallbackHeartbeat", "POST " + callbacks + "/heartbeat"})
	add(durable, restjson.Read,
		[2]string{"GetDurableExecution", "GET " + executions}, [2]string{"GetDurableExecutionHistory", "GET " + executions + "/history"},
		[2]string{"GetDurableExecutionState", "GET " + executions + "/state"},
		[2]string{"ListDurableExecutionsByFunction", "GET /2025-12-01/functions/{name}/durable-executions"})
	add(sharing, restjson.Deploy,
		[2]string{"AddLayerVersionPermission", "POST " + layer}, [2]string{"RemoveLayerVersionPermission", "DELETE " + layer + "/{statement}"})
	add(sharing, restjson.Read, [2]string{"GetLayerVersionPolicy", "GET " + layer})
	add(resource, restjson.Deploy,
		[2]string{"PutResourcePolicy", "PUT " + policy}, [2]string{"DeleteResourcePolicy", "DELETE " + policy})
	add(resource, restjson.Read, [2]string{"GetResourcePolicy", "GET " + policy})
	return refused
}
