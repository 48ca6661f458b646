package apigateway

import (
	"net/http"
	"slices"
	"strings"

	"ledge/edge/awsapi/restjson"
)

// Reasons for refusals of whole operations.
const (
	whyNoDomains          = "an API answers at its own names and, if it is chosen for that, at the node's root (PutRootApi)"
	whyNoDocumentation    = "documentation of an API is not kept"
	whyNoGatewayResponses = "the gateway's own answers are fixed"
	whyNoCertificates     = "an integration with a function has no TLS"
	whyNoSDK              = "clients are not generated"
	whyNoKeyImport        = "make keys one by one with CreateApiKey, which takes given values"
	whyNoOpenAPI          = "APIs are not made from OpenAPI documents, or written as such; make resources, routes and integrations one by one"
	whyNoUsage            = "what is used of a quota is counted in memory, and cannot be read or set"
	whyNoTest             = "deploy the API to a stage for tests and send it requests"
	whyNoFlush            = "authorizers' answers are kept for their time to live; change that of the authorizer and deploy the API"
	whyNoAccount          = "there are no settings for all APIs: a node writes no logs to CloudWatch"
	whyNoPortals          = "there are no portals"
)

// refusals declares operations that the node refuses, each written as its name,
// its method and its path.
func refusals(why string, operations ...string) []restjson.Operation {
	refused := make([]restjson.Operation, 0, len(operations))
	for _, text := range operations {
		fields := strings.Fields(text)
		o := restjson.Operation{Service: serviceAPIGateway, Name: fields[0], Method: fields[1], Path: fields[2], Access: restjson.Deploy, Note: why}
		if o.Method == http.MethodGet {
			o.Access = restjson.Read
		}
		if o.Name == "ImportRestApi" || o.Name == "ImportApiKeys" {
			o.Matches = isImport // CreateRestApi and CreateApiKey have the same path
		}
		refused = append(refused, o)
	}
	return refused
}

// isImport reports whether a request to make something brings a document.
func isImport(r *http.Request) bool { return r.URL.Query().Get("mode") == "import" }

// refusedREST are the operations of REST APIs, v1, that the node refuses.
func refusedREST() []restjson.Operation {
	return slices.Concat(
		refusals(whyNoDomains,
			"CreateBasePathMapping POST /domainnames/{domainName}/basepathmappings",
			"CreateDomainName POST /domainnames",
			"CreateDomainNameAccessAssociation POST /domainnameaccessassociations",
			"DeleteBasePathMapping DELETE /domainnames/{domainName}/basepathmappings/{basePath}",
			"DeleteDomainName DELETE /domainnames/{domainName}",
			"DeleteDomainNameAccessAssociation DELETE /domainnameaccessassociations/{domainNameAccessAssociationArn}",
			"GetBasePathMapping GET /domainnames/{domainName}/basepathmappings/{basePath}",
			"GetBasePathMappings GET /domainnames/{domainName}/basepathmappings",
			"GetDomainName GET /domainnames/{domainName}",
			"GetDomainNameAccessAssociations GET /domainnameaccessassociations",
			"GetDomainNames GET /domainnames",
			"RejectDomainNameAccessAssociation POST /rejectdomainnameaccessassociations",
			"UpdateBasePathMapping PATCH /domainnames/{domainName}/basepathmappings/{basePath}",
			"UpdateDomainName PATCH /domainnames/{domainName}",
		),
		refusals(whyNoDocumentation,
			"CreateDocumentationPart POST /restapis/{restApiId}/documentation/parts",
			"CreateDocumentationVersion POST /restapis/{restApiId}/documentation/versions",
			"DeleteDocumentationPart DELETE /restapis/{restApiId}/documentation/parts/{documentationPartId}",
			"DeleteDocumentationVersion DELETE /restapis/{restApiId}/documentation/versions/{documentationVersion}",
			"GetDocumentationPart GET /restapis/{restApiId}/documentation/parts/{documentationPartId}",
			"GetDocumentationParts GET /restapis/{restApiId}/documentation/parts",
			"GetDocumentationVersion GET /restapis/{restApiId}/documentation/versions/{documentationVersion}",
			"GetDocumentationVersions GET /restapis/{restApiId}/documentation/versions",
			"ImportDocumentationParts PUT /restapis/{restApiId}/documentation/parts",
			"UpdateDocumentationPart PATCH /restapis/{restApiId}/documentation/parts/{documentationPartId}",
			"UpdateDocumentationVersion PATCH /restapis/{restApiId}/documentation/versions/{documentationVersion}",
		),
		refusals(whyNoValidators,
			"CreateModel POST /restapis/{restApiId}/models",
			"CreateRequestValidator POST /restapis/{restApiId}/requestvalidators",
			"DeleteModel DELETE /restapis/{restApiId}/models/{modelName}",
			"DeleteRequestValidator DELETE /restapis/{restApiId}/requestvalidators/{requestValidatorId}",
			"GetModel GET /restapis/{restApiId}/models/{modelName}",
			"GetModels GET /restapis/{restApiId}/models",
			"GetModelTemplate GET /restapis/{restApiId}/models/{modelName}/default_template",
			"GetRequestValidator GET /restapis/{restApiId}/requestvalidators/{requestValidatorId}",
			"GetRequestValidators GET /restapis/{restApiId}/requestvalidators",
			"UpdateModel PATCH /restapis/{restApiId}/models/{modelName}",
			"UpdateRequestValidator PATCH /restapis/{restApiId}/requestvalidators/{requestValidatorId}",
		),
		refusals(whyNoVPC,
			"CreateVpcLink POST /vpclinks",
			"DeleteVpcLink DELETE /vpclinks/{vpcLinkId}",
			"GetVpcLink GET /vpclinks/{vpcLinkId}",
			"GetVpcLinks GET /vpclinks",
			"UpdateVpcLink PATCH /vpclinks/{vpcLinkId}",
		),
		refusals(whyNoCertificates,
			"DeleteClientCertificate DELETE /clientcertificates/{clientCertificateId}",
			"GenerateClientCertificate POST /clientcertificates",
			"GetClientCertificate GET /clientcertificates/{clientCertificateId}",
			"GetClientCertificates GET /clientcertificates",
			"UpdateClientCertificate PATCH /clientcertificates/{clientCertificateId}",
		),
		refusals(whyNoGatewayResponses,
			"DeleteGatewayResponse DELETE /restapis/{restApiId}/gatewayresponses/{responseType}",
			"GetGatewayResponse GET /restapis/{restApiId}/gatewayresponses/{responseType}",
			"GetGatewayResponses GET /restapis/{restApiId}/gatewayresponses",
			"PutGatewayResponse PUT /restapis/{restApiId}/gatewayresponses/{responseType}",
			"UpdateGatewayResponse PATCH /restapis/{restApiId}/gatewayresponses/{responseType}",
		),
		refusals(whyNoFlush,
			"FlushStageAuthorizersCache DELETE /restapis/{restApiId}/stages/{stageName}/cache/authorizers",
		),
		refusals(whyNoAccount,
			"GetAccount GET /account",
			"UpdateAccount PATCH /account",
		),
		refusals(whyNoOpenAPI,
			"GetExport GET /restapis/{restApiId}/stages/{stageName}/exports/{exportType}",
			"ImportRestApi POST /restapis",
		),
		refusals(whyNoSDK,
			"GetSdk GET /restapis/{restApiId}/stages/{stageName}/sdks/{sdkType}",
			"GetSdkType GET /sdktypes/{id}",
			"GetSdkTypes GET /sdktypes",
		),
		refusals(whyNoUsage,
			"GetUsage GET /usageplans/{usagePlanId}/usage",
			"UpdateUsage PATCH /usageplans/{usagePlanId}/keys/{keyId}/usage",
		),
		refusals(whyNoKeyImport,
			"ImportApiKeys POST /apikeys",
		),
		refusals(whyNoTest,
			"TestInvokeAuthorizer POST /restapis/{restApiId}/authorizers/{authorizerId}",
			"TestInvokeMethod POST /restapis/{restApiId}/resources/{resourceId}/methods/{httpMethod}",
		),
	)
}

// refusedHTTP are the operations of v2 that the node refuses.
func refusedHTTP() []restjson.Operation {
	return slices.Concat(
		refusals(whyNoDomains,
			"CreateApiMapping POST /v2/domainnames/{DomainName}/apimappings",
			"CreateDomainName POST /v2/domainnames",
			"CreateRoutingRule POST /v2/domainnames/{DomainName}/routingrules",
			"DeleteApiMapping DELETE /v2/domainnames/{DomainName}/apimappings/{ApiMappingId}",
			"DeleteDomainName DELETE /v2/domainnames/{DomainName}",
			"DeleteRoutingRule DELETE /v2/domainnames/{DomainName}/routingrules/{RoutingRuleId}",
			"GetApiMapping GET /v2/domainnames/{DomainName}/apimappings/{ApiMappingId}",
			"GetApiMappings GET /v2/domainnames/{DomainName}/apimappings",
			"GetDomainName GET /v2/domainnames/{DomainName}",
			"GetDomainNames GET /v2/domainnames",
			"GetRoutingRule GET /v2/domainnames/{DomainName}/routingrules/{RoutingRuleId}",
			"ListRoutingRules GET /v2/domainnames/{DomainName}/routingrules",
			"PutRoutingRule PUT /v2/domainnames/{DomainName}/routingrules/{RoutingRuleId}",
			"UpdateApiMapping PATCH /v2/domainnames/{DomainName}/apimappings/{ApiMappingId}",
			"UpdateDomainName PATCH /v2/domainnames/{DomainName}",
		),
		refusals(whyNoWebSocket,
			"CreateIntegrationResponse POST /v2/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses",
			"CreateModel POST /v2/apis/{ApiId}/models",
			"CreateRouteResponse POST /v2/apis/{ApiId}/routes/{RouteId}/routeresponses",
			"DeleteIntegrationResponse DELETE /v2/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses/{IntegrationResponseId}",
			"DeleteModel DELETE /v2/apis/{ApiId}/models/{ModelId}",
			"DeleteRouteRequestParameter DELETE /v2/apis/{ApiId}/routes/{RouteId}/requestparameters/{RequestParameterKey}",
			"DeleteRouteResponse DELETE /v2/apis/{ApiId}/routes/{RouteId}/routeresponses/{RouteResponseId}",
			"GetIntegrationResponse GET /v2/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses/{IntegrationResponseId}",
			"GetIntegrationResponses GET /v2/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses",
			"GetModel GET /v2/apis/{ApiId}/models/{ModelId}",
			"GetModels GET /v2/apis/{ApiId}/models",
			"GetModelTemplate GET /v2/apis/{ApiId}/models/{ModelId}/template",
			"GetRouteResponse GET /v2/apis/{ApiId}/routes/{RouteId}/routeresponses/{RouteResponseId}",
			"GetRouteResponses GET /v2/apis/{ApiId}/routes/{RouteId}/routeresponses",
			"UpdateIntegrationResponse PATCH /v2/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses/{IntegrationResponseId}",
			"UpdateModel PATCH /v2/apis/{ApiId}/models/{ModelId}",
			"UpdateRouteResponse PATCH /v2/apis/{ApiId}/routes/{RouteId}/routeresponses/{RouteResponseId}",
		),
		refusals(whyNoPortals,
			"CreatePortal POST /v2/portals",
			"CreatePortalProduct POST /v2/portalproducts",
			"CreateProductPage POST /v2/portalproducts/{PortalProductId}/productpages",
			"CreateProductRestEndpointPage POST /v2/portalproducts/{PortalProductId}/productrestendpointpages",
			"DeletePortal DELETE /v2/portals/{PortalId}",
			"DeletePortalProduct DELETE /v2/portalproducts/{PortalProductId}",
			"DeletePortalProductSharingPolicy DELETE /v2/portalproducts/{PortalProductId}/sharingpolicy",
			"DeleteProductPage DELETE /v2/portalproducts/{PortalProductId}/productpages/{ProductPageId}",
			"DeleteProductRestEndpointPage DELETE /v2/portalproducts/{PortalProductId}/productrestendpointpages/{ProductRestEndpointPageId}",
			"DisablePortal DELETE /v2/portals/{PortalId}/publish",
			"GetPortal GET /v2/portals/{PortalId}",
			"GetPortalProduct GET /v2/portalproducts/{PortalProductId}",
			"GetPortalProductSharingPolicy GET /v2/portalproducts/{PortalProductId}/sharingpolicy",
			"GetProductPage GET /v2/portalproducts/{PortalProductId}/productpages/{ProductPageId}",
			"GetProductRestEndpointPage GET /v2/portalproducts/{PortalProductId}/productrestendpointpages/{ProductRestEndpointPageId}",
			"ListPortalProducts GET /v2/portalproducts",
			"ListPortals GET /v2/portals",
			"ListProductPages GET /v2/portalproducts/{PortalProductId}/productpages",
			"ListProductRestEndpointPages GET /v2/portalproducts/{PortalProductId}/productrestendpointpages",
			"PreviewPortal POST /v2/portals/{PortalId}/preview",
			"PublishPortal POST /v2/portals/{PortalId}/publish",
			"PutPortalProductSharingPolicy PUT /v2/portalproducts/{PortalProductId}/sharingpolicy",
			"UpdatePortal PATCH /v2/portals/{PortalId}",
			"UpdatePortalProduct PATCH /v2/portalproducts/{PortalProductId}",
			"UpdateProductPage PATCH /v2/portalproducts/{PortalProductId}/productpages/{ProductPageId}",
			"UpdateProductRestEndpointPage PATCH /v2/portalproducts/{PortalProductId}/productrestendpointpages/{ProductRestEndpointPageId}",
		),
		refusals(whyNoVPC,
			"CreateVpcLink POST /v2/vpclinks",
			"DeleteVpcLink DELETE /v2/vpclinks/{VpcLinkId}",
			"GetVpcLink GET /v2/vpclinks/{VpcLinkId}",
			"GetVpcLinks GET /v2/vpclinks",
			"UpdateVpcLink PATCH /v2/vpclinks/{VpcLinkId}",
		),
		refusals(whyNoLog,
			"DeleteAccessLogSettings DELETE /v2/apis/{ApiId}/stages/{StageName}/accesslogsettings",
		),
		refusals(whyNoOpenAPI,
			"ExportApi GET /v2/apis/{ApiId}/exports/{Specification}",
			"ImportApi PUT /v2/apis",
			"ReimportApi PUT /v2/apis/{ApiId}",
		),
		refusals(whyNoFlush,
			"ResetAuthorizersCache DELETE /v2/apis/{ApiId}/stages/{StageName}/cache/authorizers",
		),
	)
}
