// What can be said of a decoded picture without knowing what is on it: a small grid of its
// brightness, a hash that looks alike for pictures that look alike, and measures of its quality.
//
// All are of the luma alone, in full range, and don't depend on the picture's size beyond what they
// say: so cameras can be compared.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "cloud/media/worker_protocol.h"
#include "common/turn.h"

struct AVFrame;

namespace gleaner::cloud::media {

// The mean brightness of each cell, turned upright.
absl::StatusOr<LumaGrid> GridOf(const AVFrame& frame, Turn turn);

// The share of cells that differ by more than noise, once the whole picture's change of brightness
// is taken away: 0 for two pictures between which nothing moved.
float ShareChanged(const LumaGrid& a, const LumaGrid& b);

// 64 bits of a DCT: the Hamming distance says how unlike two pictures
// are (0 to about 8: the same view; about 32: nothing in common). C. Zauner, "Implementation and
// Benchmarking of Perceptual Image Hash Functions" (2010), as pHash's ph_dct_imagehash: the 8 x 8
// lowest frequencies above the mean, of 32 x 32 pixels, against their median. A flat picture is 0.
uint64_t PerceptualHash(const LumaGrid& grid);

struct Quality {
  // v / (v + 100), v the variance of the Laplacian of the picture at about 640 pixels of width
  // (J. Pech-Pacheco and others, "Diatom autofocusing in brightfield microscopy", 2000). Below 0.2
  // blurred to the eye, mostly.
  float sharpness = 0;
  // Mean brightness.
  float exposure = 0;
  // Share of pixels that are as dark or as bright as can be.
  float clipped = 0;
  // Share of 16 x 12 tiles on which nothing can be told apart. Near 1: the lens is covered, or it
  // is pitch dark.
  float blocked = 0;
};
absl::StatusOr<Quality> QualityOf(const AVFrame& frame);

}  // namespace gleaner::cloud::media
