package persist

import (
	"testing"
)

func TestAsyncConfig(t *testing.T) {
	s, now := queueStore(t, "f", "f-")
	retries := 0
	live := AsyncConfig{Function: "f", Qualifier: "live", MaxAgeSeconds: 60, MaxRetries: &retries,
		OnSuccess: "arn:aws:lambda:local:000000000000:function:g", OnFailure: "arn:aws:lambda:local:000000000000:function:h"}
	stored, err := s.PutAsyncConfig(live)
	noErr(t, err)
	live.LastModified = now
	got, err := s.GetAsyncConfig("f", "live")
	noErr(t, err)
	for _, config := range []AsyncConfig{stored, got} {
		if config.MaxRetries == nil || *config.MaxRetries != 0 {
			t.Errorf("got %+v", config)
		}
		config.MaxRetries = live.MaxRetries
		if config != live {
			t.Errorf("got %+v, want %+v", config, live)
		}
	}
	_, err = s.GetAsyncConfig("f", "")
	wantErr(t, "GetAsyncConfig of another qualifier", err, ErrNotFound)
	_, err = s.PutAsyncConfig(AsyncConfig{Function: "f"})
	noErr(t, err)
	_, err = s.PutAsyncConfig(AsyncConfig{Function: "f-"})
	noErr(t, err)
	_, err = s.PutAsyncConfig(AsyncConfig{Function: "none"})
	wantErr(t, "PutAsyncConfig", err, ErrNotFound)
	if _, err := s.GetAsyncConfig("f", Latest); err != nil {
		t.Error(err)
	}
	all, err := s.AsyncConfigs("f")
	noErr(t, err)
	if len(all) != 2 || all[0].Qualifier != Latest || all[1].Qualifier != "live" {
		t.Errorf("got %+v", all)
	}
	_, err = s.AsyncConfigs("none")
	wantErr(t, "AsyncConfigs", err, ErrNotFound)
	noErr(t, s.DeleteAsyncConfig("f", "live"))
	wantErr(t, "DeleteAsyncConfig", s.DeleteAsyncConfig("f", "live"), ErrNotFound)
}
