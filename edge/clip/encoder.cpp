#include "edge/clip/encoder.h"

#include <cstring>
#include <mutex>
#include <utility>

#include "common/log.h"
#include "common/status.h"
#include "edge/clip/encoders.h"
#include "fmt/format.h"

extern "C" {
#include <libavcodec/bsf.h>
}

namespace gleaner::edge {
namespace {

struct Entry {
  std::string name;
  EncoderFactory factory;
  bool by_default;
};

struct Registry {
  std::mutex mutex;
  // Hardware first; then openh264 (BSD) before x264 (GPL, more memory); MPEG-4 is always there.
  std::vector<Entry> entries = {
      {"h264_nvenc", OpenNvenc, true},     {"h264_vaapi", OpenVaapi, true},
      {"h264_v4l2m2m", OpenV4l2M2m, true}, {"h264_qsv", OpenQsv, true},
      {"openh264", OpenOpenH264, true},    {"libx264", OpenX264, true},
      {"mpeg4", OpenMpeg4, true},
  };

  EncoderFactory Find(std::string_view name) {
    std::lock_guard lock(mutex);
    for (const Entry& entry : entries) {
      if (entry.name == name) return entry.factory;
    }
    return nullptr;
  }
};

Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

absl::Status Try(const EncoderFactory& factory, const EncoderSettings& settings,
                 const AVFrame& frame) {
  ASSIGN_OR_RETURN(auto encoder, factory(settings));
  std::vector<AvPtr<AVPacket>> packets;
  RETURN_IF_ERROR(encoder->Encode(frame, /*keyframe=*/true, &packets));
  if (packets.empty()) RETURN_IF_ERROR(encoder->Flush(&packets));
  if (packets.empty()) return absl::InternalError("took a frame and returned nothing");
  if ((packets.front()->flags & AV_PKT_FLAG_KEY) == 0) {
    return absl::InternalError("its first frame is no keyframe");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> DefaultEncoders() {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  std::vector<std::string> names;
  for (const Entry& entry : registry.entries) {
    if (entry.by_default) names.push_back(entry.name);
  }
  return names;
}

bool IsEncoder(std::string_view name) { return TheRegistry().Find(name) != nullptr; }

void RegisterEncoder(std::string name, EncoderFactory factory) {
  Registry& registry = TheRegistry();
  std::lock_guard lock(registry.mutex);
  for (Entry& entry : registry.entries) {
    if (entry.name == name) {
      entry.factory = std::move(factory);
      return;
    }
  }
  registry.entries.push_back({std::move(name), std::move(factory), false});
}

absl::StatusOr<ChosenEncoder> ChooseEncoder(const std::vector<std::string>& names,
                                            const EncoderSettings& settings, const AVFrame& frame,
                                            std::string_view who) {
  QuietFfmpeg();
  std::string refusals;
  for (const std::string& name : names) {
    const EncoderFactory factory = TheRegistry().Find(name);
    absl::Status status = absl::NotFoundError("no such encoder");
    if (factory != nullptr) status = Try(factory, settings, frame);
    if (status.ok()) {
      auto encoder = factory(settings);
      if (encoder.ok()) {
        LOG_INFO("{}: encoder {} chosen: it encoded a {}×{} frame", who, name, settings.width,
                 settings.height);
        return ChosenEncoder{name, *std::move(encoder)};
      }
      status = encoder.status();
    }
    LOG_INFO("{}: encoder {} refused: {}", who, name, Message(status));
    refusals += fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", name, Message(status));
  }
  return absl::UnavailableError(fmt::format("no encoder works ({})", refusals));
}

std::shared_ptr<const AVCodecParameters> ParametersFrom(AVCodecID codec,
                                                        const EncoderSettings& settings,
                                                        const AVPacket& keyframe) {
  std::shared_ptr<AVCodecParameters> parameters(avcodec_parameters_alloc(), AvDeleter());
  parameters->codec_type = AVMEDIA_TYPE_VIDEO;
  parameters->codec_id = codec;
  parameters->format = AV_PIX_FMT_YUV420P;
  parameters->width = settings.width;
  parameters->height = settings.height;
  parameters->color_range = AVCOL_RANGE_MPEG;
  parameters->color_space = settings.colours.matrix;
  parameters->color_primaries = settings.colours.primaries;
  parameters->color_trc = settings.colours.transfer;

  AVBSFContext* filter = nullptr;
  if (av_bsf_alloc(av_bsf_get_by_name("extract_extradata"), &filter) < 0) return parameters;
  avcodec_parameters_copy(filter->par_in, parameters.get());
  AvPtr<AVPacket> packet(av_packet_clone(&keyframe));
  if (av_bsf_init(filter) == 0 && av_bsf_send_packet(filter, packet.get()) == 0 &&
      av_bsf_receive_packet(filter, packet.get()) == 0) {
    size_t size = 0;
    const uint8_t* extradata =
        av_packet_get_side_data(packet.get(), AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (extradata != nullptr) {
      parameters->extradata =
          static_cast<uint8_t*>(av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE));
      std::memcpy(parameters->extradata, extradata, size);
      parameters->extradata_size = static_cast<int>(size);
    }
  }
  av_bsf_free(&filter);
  return parameters;
}

}  // namespace gleaner::edge
