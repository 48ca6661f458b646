package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"ledge/engine"
	"ledge/persist"
)

// MaxUnpacked bounds the files of a function and its layers together, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxUnpacked = 250 << 20

// PublishLayer stores a zip as the next version of a layer. A
// *persist.ArchiveError says what is wrong with the zip.
func (r *Reconciler) PublishLayer(ctx context.Context, layer persist.LayerVersion, archive []byte) (persist.LayerVersion, error) {
	if err := r.begin(ctx); err != nil {
		return persist.LayerVersion{}, err
	}
	defer r.end()
	r.makeRoom()
	info, err := r.code.Put(archive, persist.CodeFiles)
	if err != nil {
		return persist.LayerVersion{}, fmt.Errorf("store layer %s: %w", layer.Name, err)
	}
	layer.CodeHash, layer.CodeSha256, layer.CodeSize = info.Hash, info.Sha256Base64, info.Size
	return r.store.PublishLayerVersion(layer)
}

// DeleteLayer removes a version of a layer. Functions that have it keep its
// files. persist.ErrNotFound.
func (r *Reconciler) DeleteLayer(ctx context.Context, name string, version uint64) error {
	// In a turn, so that no deploy is about to merge it.
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer r.end()
	_, err := r.store.DeleteLayerVersion(name, version)
	return err
}

// WriteCode writes the stored code with that hash to w as a zip, see
// persist.Code.WriteZip. It does not wait for a turn: who reads code that a
// change removes meanwhile gets an error.
func (r *Reconciler) WriteCode(w io.Writer, hash string) error { return r.code.WriteZip(w, hash) }

// mergeLayers makes the folder of fn's layers where they are others than those
// of old, and holds them and the code together to MaxUnpacked. With the layers
// that old has, deleted or not, the folder stays.
func (r *Reconciler) mergeLayers(fn *persist.Function, old persist.Function) error {
	if !slices.EqualFunc(fn.Layers, old.Layers, sameLayer) {
		if err := r.mergeNewLayers(fn); err != nil {
			return err
		}
	} else {
		fn.Layers, fn.LayerHash = old.Layers, old.LayerHash
	}
	if fn.LayerHash == "" {
		return nil
	}
	total := int64(0)
	for _, hash := range []string{fn.CodeHash, fn.LayerHash} {
		size, err := r.code.Size(hash)
		if err != nil {
			return fmt.Errorf("measure code of %s: %w", fn.Name, err)
		}
		total += size
	}
	if total > MaxUnpacked {
		return &engine.DeployError{Op: "code size",
			Why:  fmt.Sprintf("Function code combined with layers exceeds the maximum allowed size of %d bytes. The actual size is %d bytes", MaxUnpacked, total),
			Hint: "leave out what the function does not need"}
	}
	return nil
}

func sameLayer(a, b persist.LayerRef) bool { return a.Name == b.Name && a.Version == b.Version }

func (r *Reconciler) mergeNewLayers(fn *persist.Function) error {
	refs := make([]persist.LayerRef, len(fn.Layers)) // fn's own may be shared with whoever asked
	hashes := make([]string, len(fn.Layers))
	for i, ref := range fn.Layers {
		layer, err := r.store.GetLayerVersion(ref.Name, ref.Version)
		if errors.Is(err, persist.ErrNotFound) {
			return &engine.DeployError{Op: "layers", Why: fmt.Sprintf("there is no version %d of layer %s", ref.Version, ref.Name),
				Hint: "publish it first, or see the versions that there are", Err: err}
		}
		if err != nil {
			return fmt.Errorf("read layer %s: %w", ref.Name, err)
		}
		refs[i] = persist.LayerRef{Name: layer.Name, Version: layer.Version, Size: layer.CodeSize}
		hashes[i] = layer.CodeHash
	}
	fn.Layers = refs
	switch len(hashes) {
	case 0:
		fn.Layers, fn.LayerHash = nil, ""
	case 1:
		fn.LayerHash = hashes[0]
	default:
		merged, _, err := r.code.Merge(hashes)
		if err != nil {
			return fmt.Errorf("merge layers of %s: %w", fn.Name, err)
		}
		fn.LayerHash = merged
	}
	return nil
}
