// What the numbers of a picture mean as colours, so that every player shows the same ones.
//
// A player that isn't told guesses: BT.601 below 720 lines, BT.709 from there on, where JPEG and
// what cameras send raw are BT.601 at any size (ITU-T T.871; USB video class, colour matching
// descriptor). So what is encoded here says what it is, in the stream and in the file, and always
// has limited range: not every decoder heeds the flag for the full one.
#pragma once

#include "edge/camera/ffmpeg.h"

namespace gleaner::edge {

struct Colours {
  AVColorSpace matrix = AVCOL_SPC_SMPTE170M;
  AVColorPrimaries primaries = AVCOL_PRI_BT709;
  AVColorTransferCharacteristic transfer = AVCOL_TRC_BT709;

  bool operator==(const Colours&) const = default;
};

// What a frame of `codec` is to be encoded as: what it says itself, and for what it doesn't say,
// what its kind of source has. A frame of RGB becomes BT.601.
Colours ColoursOf(const AVFrame& frame, AVCodecID codec);

bool IsFullRange(const AVFrame& frame);

// How libswscale is to turn a frame's pixels into YUV 4:2:0: fast, but from RGB only as fast as is
// exact, where its rounding would otherwise tint greys.
int ScalerFlags(const AVFrame& frame);

// Has `scaler`, which was made for `frame`, turn its pixels into YUV of `to`.
void SetColours(const AVFrame& frame, AVCodecID codec, const Colours& to, bool to_full_range,
                SwsContext* scaler);

}  // namespace gleaner::edge
