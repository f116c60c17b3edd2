// Cisco's openh264, by its own API: Debian's FFmpeg has no wrapper for it. The default software
// encoder: BSD licence, 3 ms for a 720p frame.
#include <wels/codec_api.h>

#include <cstring>
#include <utility>

#include "common/status.h"
#include "edge/clip/encoders.h"
#include "fmt/format.h"

namespace gleaner::edge {
namespace {

struct WelsDeleter {
  void operator()(ISVCEncoder* encoder) const {
    encoder->Uninitialize();
    WelsDestroySVCEncoder(encoder);
  }
};

class OpenH264Encoder : public Encoder {
 public:
  static absl::StatusOr<std::unique_ptr<Encoder>> Open(const EncoderSettings& settings);

  absl::Status Encode(const AVFrame& frame, bool keyframe,
                      std::vector<AvPtr<AVPacket>>* out) override;
  absl::Status Flush(std::vector<AvPtr<AVPacket>>*) override { return absl::OkStatus(); }
  AVCodecID codec() const override { return AV_CODEC_ID_H264; }

 private:
  std::unique_ptr<ISVCEncoder, WelsDeleter> encoder_;
};

absl::StatusOr<std::unique_ptr<Encoder>> OpenH264Encoder::Open(const EncoderSettings& settings) {
  ISVCEncoder* raw = nullptr;
  if (WelsCreateSVCEncoder(&raw) != 0) return absl::InternalError("can't be created");
  auto encoder = std::make_unique<OpenH264Encoder>();
  encoder->encoder_.reset(raw);

  int quiet = WELS_LOG_QUIET;
  raw->SetOption(ENCODER_OPTION_TRACE_LEVEL, &quiet);
  SEncParamExt parameters;
  raw->GetDefaultParams(&parameters);
  parameters.iUsageType = CAMERA_VIDEO_REAL_TIME;
  parameters.iPicWidth = settings.width;
  parameters.iPicHeight = settings.height;
  parameters.fMaxFrameRate = static_cast<float>(settings.frames_per_s);
  parameters.iTargetBitrate = static_cast<int>(settings.bits_per_s);
  parameters.iMaxBitrate = static_cast<int>(settings.bits_per_s * 2);
  parameters.iRCMode = RC_BITRATE_MODE;
  parameters.bEnableFrameSkip = false;  // every frame has its place in the manifest
  parameters.iComplexityMode = LOW_COMPLEXITY;
  parameters.uiIntraPeriod = 0;                 // keyframes come when told,
  parameters.bEnableSceneChangeDetect = false;  // and only then
  parameters.eSpsPpsIdStrategy = CONSTANT_ID;
  parameters.iMultipleThreadIdc = 1;
  parameters.iSpatialLayerNum = 1;
  SSpatialLayerConfig& layer = parameters.sSpatialLayers[0];
  layer.iVideoWidth = settings.width;
  layer.iVideoHeight = settings.height;
  layer.fFrameRate = parameters.fMaxFrameRate;
  layer.iSpatialBitrate = parameters.iTargetBitrate;
  layer.iMaxSpatialBitrate = parameters.iMaxBitrate;
  // In the numbers of ISO 23091-2, which FFmpeg's are too.
  layer.bVideoSignalTypePresent = true;
  layer.uiVideoFormat = VF_UNDEF;
  layer.bFullRange = false;
  layer.bColorDescriptionPresent = true;
  layer.uiColorPrimaries = static_cast<unsigned char>(settings.colours.primaries);
  layer.uiTransferCharacteristics = static_cast<unsigned char>(settings.colours.transfer);
  layer.uiColorMatrix = static_cast<unsigned char>(settings.colours.matrix);
  if (const int error = raw->InitializeExt(&parameters); error != 0) {
    return absl::InternalError(fmt::format("can't be opened: error {}", error));
  }
  int format = videoFormatI420;
  raw->SetOption(ENCODER_OPTION_DATAFORMAT, &format);
  return encoder;
}

absl::Status OpenH264Encoder::Encode(const AVFrame& frame, bool keyframe,
                                     std::vector<AvPtr<AVPacket>>* out) {
  if (keyframe) encoder_->ForceIntraFrame(true);
  SSourcePicture picture = {};
  picture.iColorFormat = videoFormatI420;
  picture.iPicWidth = frame.width;
  picture.iPicHeight = frame.height;
  for (int plane = 0; plane < 3; ++plane) {
    picture.pData[plane] = frame.data[plane];
    picture.iStride[plane] = frame.linesize[plane];
  }
  SFrameBSInfo info = {};
  if (const int error = encoder_->EncodeFrame(&picture, &info); error != 0) {
    return absl::InternalError(fmt::format("lost a frame: error {}", error));
  }
  if (info.eFrameType == videoFrameTypeSkip || info.iFrameSizeInBytes <= 0) {
    return absl::InternalError("skipped a frame");
  }
  AvPtr<AVPacket> packet = NewPacket();
  if (av_new_packet(packet.get(), info.iFrameSizeInBytes) < 0) {
    return absl::ResourceExhaustedError("no memory for a packet");
  }
  uint8_t* to = packet->data;
  for (int i = 0; i < info.iLayerNum; ++i) {
    const SLayerBSInfo& layer = info.sLayerInfo[i];
    int size = 0;
    for (int nal = 0; nal < layer.iNalCount; ++nal) size += layer.pNalLengthInByte[nal];
    std::memcpy(to, layer.pBsBuf, size);
    to += size;
  }
  packet->pts = packet->dts = frame.pts;
  if (info.eFrameType == videoFrameTypeIDR) packet->flags |= AV_PKT_FLAG_KEY;
  out->push_back(std::move(packet));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Encoder>> OpenOpenH264(const EncoderSettings& settings) {
  return OpenH264Encoder::Open(settings);
}

}  // namespace gleaner::edge
