#include "common/tuf/document.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "common/printable.h"
#include "common/status.h"
#include "common/tuf/bounds.h"
#include "common/tuf/refusal.h"

namespace gleaner::tuf {
namespace {

using nlohmann::json;

// Builds the document piece by piece and stops at the first that is beyond a bound: a whole tree is
// never made of what isn't taken.
class Builder : public nlohmann::json_sax<json> {
 public:
  const std::string& reason() const { return reason_; }
  json Take() { return std::move(root_); }

  bool null() override { return Add(json()); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override {
    if (value < -kMaxNumber || value > kMaxNumber) return Fail("a number is beyond ±(2^53 - 1)");
    return Add(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > static_cast<uint64_t>(kMaxNumber)) return Fail("a number is beyond ±(2^53 - 1)");
    return Add(static_cast<int64_t>(value));
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    return Fail(fmt::format("{} is not a whole number", Printable(text.substr(0, 32))));
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return Fail("it holds bytes"); }
  bool start_object(size_t /*elements*/) override { return Open(json::object()); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      return Fail(fmt::format("\"{}\" is there twice", Printable(name.substr(0, 64))));
    }
    name_ = std::move(name);
    return true;
  }
  bool end_object() override {
    if (!SortsAlike(*open_.back())) {
      return Fail("its names sort differently in different readers: use the common characters");
    }
    open_.pop_back();
    return true;
  }
  bool start_array(size_t /*elements*/) override { return Open(json::array()); }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(size_t position, const std::string& /*token*/,
                   const json::exception& /*error*/) override {
    return Fail(fmt::format("it is no JSON from byte {} on", position));
  }

 private:
  bool Fail(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  // UTF-8 sorts as Unicode does; UTF-16, which JavaScript sorts by, has characters beyond U+FFFF
  // before those from U+E000 on. Only where both are at hand can it matter.
  static bool SortsAlike(const json& object) {
    bool beyond = false;
    bool high = false;
    for (const auto& [name, value] : object.items()) {
      for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        beyond = beyond || byte >= 0xf0;
        high = high || byte == 0xee || byte == 0xef;
      }
    }
    return !(beyond && high);
  }

  bool Add(json value) { return Put(std::move(value)) != nullptr; }
  bool Open(json value) {
    if (open_.size() >= kMaxDepth) return Fail(fmt::format("it is nested beyond {}", kMaxDepth));
    json* const put = Put(std::move(value));
    if (put != nullptr) open_.push_back(put);
    return put != nullptr;
  }
  json* Put(json value) {
    if (++values_ > kMaxValues) {
      Fail(fmt::format("it has more than {} values", kMaxValues));
      return nullptr;
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // What was put into a std::map stays where it is.
    return &(parent[std::move(name_)] = std::move(value));
  }

  json root_;
  std::vector<json*> open_;  // a vector's last element is only moved once it is closed
  std::string name_;
  size_t values_ = 0;
  std::string reason_;
};

void AppendString(const std::string& text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out->push_back('\\');
    out->push_back(c);
  }
  out->push_back('"');
}

void Append(const json& value, std::string* out) {
  switch (value.type()) {
    case json::value_t::object: {
      char before = '{';
      for (const auto& [name, member] : value.items()) {
        out->push_back(before);
        AppendString(name, out);
        out->push_back(':');
        Append(member, out);
        before = ',';
      }
      if (before == '{') out->push_back('{');
      out->push_back('}');
      break;
    }
    case json::value_t::array: {
      out->push_back('[');
      for (size_t i = 0; i < value.size(); ++i) {
        if (i > 0) out->push_back(',');
        Append(value[i], out);
      }
      out->push_back(']');
      break;
    }
    case json::value_t::string:
      AppendString(value.get_ref<const std::string&>(), out);
      break;
    default:
      *out += value.dump();
  }
}

}  // namespace

absl::StatusOr<json> ParseDocument(std::string_view bytes, std::string_view what) {
  // The parser would take the first for the end, and pass over the second.
  if (bytes.find('\0') != std::string_view::npos || bytes.starts_with("\xef\xbb\xbf")) {
    return Refuse(Refusal::kMalformed, fmt::format("{}: it is no JSON", what));
  }
  Builder builder;
  if (!json::sax_parse(bytes.begin(), bytes.end(), &builder)) {
    return Refuse(Refusal::kMalformed, fmt::format("{}: {}", what, builder.reason()));
  }
  return builder.Take();
}

std::string Canonical(const json& document) {
  std::string text;
  Append(document, &text);
  return text;
}

}  // namespace gleaner::tuf
