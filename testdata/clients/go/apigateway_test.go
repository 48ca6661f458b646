package clients

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	restTypes "github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/aws-sdk-go-v2/service/apigatewayv2"
	httpTypes "github.com/aws/aws-sdk-go-v2/service/apigatewayv2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	schedulerTypes "github.com/aws/aws-sdk-go-v2/service/scheduler/types"
)

const page = `exports.handler = async (event) => ({ statusCode: 200, body: "at " + (event.rawPath ?? event.path) });`

func TestRESTAPI(t *testing.T) {
	cfg := settings(t)
	arn := create(t, lambda.NewFromConfig(cfg), "go-rest", page)
	c := apigateway.NewFromConfig(cfg)
	api, err := c.CreateRestApi(t.Context(), &apigateway.CreateRestApiInput{Name: aws.String("go")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := c.DeleteRestApi(context.Background(), &apigateway.DeleteRestApiInput{RestApiId: api.Id}); err != nil {
			t.Error(err)
		}
	})
	if api.CreatedDate == nil || api.CreatedDate.IsZero() {
		t.Error("it has no date")
	}
	child, err := c.CreateResource(t.Context(), &apigateway.CreateResourceInput{RestApiId: api.Id, ParentId: api.RootResourceId, PathPart: aws.String("{proxy+}")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutMethod(t.Context(), &apigateway.PutMethodInput{RestApiId: api.Id, ResourceId: child.Id, HttpMethod: aws.String("ANY"), AuthorizationType: aws.String("NONE")}); err != nil {
		t.Fatal(err)
	}
	put, err := c.PutIntegration(t.Context(), &apigateway.PutIntegrationInput{
		RestApiId: api.Id, ResourceId: child.Id, HttpMethod: aws.String("ANY"), Type: restTypes.IntegrationTypeAwsProxy,
		IntegrationHttpMethod: aws.String("POST"), Uri: aws.String("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/" + arn + "/invocations"),
	})
	if err != nil || put.Type != restTypes.IntegrationTypeAwsProxy {
		t.Fatalf("%v, %+v", err, put)
	}
	if _, err := c.CreateDeployment(t.Context(), &apigateway.CreateDeploymentInput{RestApiId: api.Id, StageName: aws.String("dev")}); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, "/_aws/execute-api/"+*api.Id+"/dev/a/b"); status != 200 || body != "at /a/b" {
		t.Errorf("%d %s", status, body)
	}
	got, err := c.GetResources(t.Context(), &apigateway.GetResourcesInput{RestApiId: api.Id, Embed: []string{"methods"}})
	if err != nil || len(got.Items) != 2 {
		t.Fatalf("%v, %+v", err, got)
	}
	for _, r := range got.Items {
		if aws.ToString(r.Path) == "/{proxy+}" && r.ResourceMethods["ANY"].MethodIntegration == nil {
			t.Errorf("the method is not in the list: %+v", r)
		}
	}
	_, err = c.GetStage(t.Context(), &apigateway.GetStageInput{RestApiId: api.Id, StageName: aws.String("nowhere")})
	wantCode(t, err, "NotFoundException")
}

func TestHTTPAPI(t *testing.T) {
	cfg := settings(t)
	arn := create(t, lambda.NewFromConfig(cfg), "go-http", page)
	c := apigatewayv2.NewFromConfig(cfg)
	api, err := c.CreateApi(t.Context(), &apigatewayv2.CreateApiInput{Name: aws.String("go"), ProtocolType: httpTypes.ProtocolTypeHttp, Target: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(aws.ToString(api.ApiEndpoint), aws.ToString(api.ApiId)) || api.CreatedDate == nil {
		t.Errorf("%+v", api)
	}
	if status, body := get(t, "/_aws/execute-api/"+*api.ApiId+"/x"); status != 200 || body != "at /x" {
		t.Errorf("%d %s", status, body)
	}
	routes, err := c.GetRoutes(t.Context(), &apigatewayv2.GetRoutesInput{ApiId: api.ApiId})
	if err != nil || len(routes.Items) != 1 || aws.ToString(routes.Items[0].RouteKey) != "$default" {
		t.Errorf("%v, %+v", err, routes)
	}
	if _, err := c.DeleteApi(t.Context(), &apigatewayv2.DeleteApiInput{ApiId: api.ApiId}); err != nil {
		t.Error(err)
	}
	_, err = c.GetApi(t.Context(), &apigatewayv2.GetApiInput{ApiId: api.ApiId})
	wantCode(t, err, "NotFoundException")
}

func TestSchedule(t *testing.T) {
	cfg := settings(t)
	arn := create(t, lambda.NewFromConfig(cfg), "go-schedule", page)
	c := scheduler.NewFromConfig(cfg)
	in := &scheduler.CreateScheduleInput{
		Name: aws.String("go"), ScheduleExpression: aws.String("rate(1 hour)"),
		FlexibleTimeWindow: &schedulerTypes.FlexibleTimeWindow{Mode: schedulerTypes.FlexibleTimeWindowModeOff},
		Target:             &schedulerTypes.Target{Arn: &arn, RoleArn: aws.String(role)},
		ClientToken:        aws.String("the-same-token-each-time"),
	}
	for range 2 { // the token makes the second one the same request
		if _, err := c.CreateSchedule(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for p := scheduler.NewListSchedulesPaginator(c, &scheduler.ListSchedulesInput{}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Schedules) != 1 || page.Schedules[0].CreationDate == nil {
			t.Errorf("%+v", page.Schedules)
		}
	}
	if _, err := c.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: in.Name}); err != nil {
		t.Error(err)
	}
	_, err := c.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: in.Name})
	wantCode(t, err, "ResourceNotFoundException")
}
