package apigateway

import (
	"net/http"

	"ledge/persist"
)

func (s *service) putMethodResponse(r *http.Request) (any, error) {
	var req struct {
		ResponseParameters map[string]bool
		ResponseModels     map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	code := r.PathValue("status")
	response := persist.APIMethodResponse{Parameters: req.ResponseParameters, Models: req.ResponseModels}
	if err := checkMethodResponse(code, &response); err != nil {
		return nil, err
	}
	return showMethodResponse(code, response), s.editMethod(r, func(e *editingMethod) error {
		if _, taken := e.method.Responses[code]; taken {
			return conflict("Response already exists for this resource")
		}
		if e.method.Responses == nil {
			e.method.Responses = make(map[string]persist.APIMethodResponse)
		}
		e.method.Responses[code] = response
		return nil
	})
}

func checkMethodResponse(code string, response *persist.APIMethodResponse) error {
	if !statusCode.MatchString(code) {
		return badRequest("Invalid status code specified: %.20q", code)
	}
	for name := range response.Parameters {
		if !responseParameter.MatchString(name) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %.200s]", name)
		}
	}
	return checkModels(response.Models)
}

// responseOf returns the response of a method that a request names.
func responseOf(r *http.Request, m *persist.APIMethod) (string, persist.APIMethodResponse, error) {
	code := r.PathValue("status")
	response, found := m.Responses[code]
	if !found {
		return code, response, notFound("Invalid Response status code specified")
	}
	return code, response, nil
}

func (s *service) getMethodResponse(r *http.Request) (any, error) {
	_, _, m, err := s.viewMethod(r)
	if err != nil {
		return nil, err
	}
	code, response, err := responseOf(r, &m)
	if err != nil {
		return nil, err
	}
	return showMethodResponse(code, response), nil
}

func (s *service) updateMethodResponse(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown methodResponse
	err = s.editMethod(r, func(e *editingMethod) error {
		code, response, err := responseOf(r, &e.method)
		if err != nil {
			return err
		}
		rules := []patchRule{flags("/responseParameters/*", &response.Parameters), texts("/responseModels/*", &response.Models)}
		if err := patch(patches, rules); err != nil {
			return err
		}
		e.method.Responses[code] = response
		shown = showMethodResponse(code, response)
		return checkMethodResponse(code, &response)
	})
	return shown, err
}

func (s *service) deleteMethodResponse(r *http.Request) (any, error) {
	return nil, s.editMethod(r, func(e *editingMethod) error {
		code, _, err := responseOf(r, &e.method)
		if err != nil {
			return err
		}
		delete(e.method.Responses, code)
		return nil
	})
}

func (s *service) putIntegrationResponse(r *http.Request) (any, error) {
	var req struct {
		SelectionPattern, ContentHandling     string
		ResponseParameters, ResponseTemplates map[string]string
	}
	if err := read(r, &req); err != nil {
		return nil, err
	}
	code := r.PathValue("status")
	response := persist.APIIntegrationResponse{
		SelectionPattern: req.SelectionPattern, ContentHandling: req.ContentHandling,
		Parameters: req.ResponseParameters, Templates: req.ResponseTemplates,
	}
	return showIntegrationResponse(code, response), s.editMethod(r, func(e *editingMethod) error {
		in, err := integrationOf(&e.method)
		if err != nil {
			return err
		}
		if in.Responses == nil {
			in.Responses = make(map[string]persist.APIIntegrationResponse)
		}
		in.Responses[code] = response
		return checkIntegrationResponse(&e.method, code, &response)
	})
}

// resultOf returns the response of an integration that a request names.
func resultOf(r *http.Request, m *persist.APIMethod) (string, persist.APIIntegrationResponse, error) {
	code := r.PathValue("status")
	in, err := integrationOf(m)
	if err != nil {
		return code, persist.APIIntegrationResponse{}, err
	}
	response, found := in.Responses[code]
	if !found {
		return code, response, notFound("Invalid Response status code specified")
	}
	return code, response, nil
}

func (s *service) getIntegrationResponse(r *http.Request) (any, error) {
	_, _, m, err := s.viewMethod(r)
	if err != nil {
		return nil, err
	}
	code, response, err := resultOf(r, &m)
	if err != nil {
		return nil, err
	}
	return showIntegrationResponse(code, response), nil
}

func (s *service) updateIntegrationResponse(r *http.Request) (any, error) {
	patches, err := readPatches(r)
	if err != nil {
		return nil, err
	}
	var shown integrationResponse
	err = s.editMethod(r, func(e *editingMethod) error {
		code, response, err := resultOf(r, &e.method)
		if err != nil {
			return err
		}
		rules := []patchRule{
			text("/selectionPattern", &response.SelectionPattern), text("/contentHandling", &response.ContentHandling),
			texts("/responseParameters/*", &response.Parameters), texts("/responseTemplates/*", &response.Templates),
		}
		if err := patch(patches, rules); err != nil {
			return err
		}
		e.method.Integration.Responses[code] = response
		shown = showIntegrationResponse(code, response)
		return checkIntegrationResponse(&e.method, code, &response)
	})
	return shown, err
}

func (s *service) deleteIntegrationResponse(r *http.Request) (any, error) {
	return nil, s.editMethod(r, func(e *editingMethod) error {
		code, _, err := resultOf(r, &e.method)
		if err != nil {
			return err
		}
		delete(e.method.Integration.Responses, code)
		return nil
	})
}
