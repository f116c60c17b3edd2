#include "cloud/frames/filter_service.h"

#include "cloud/frames/frame_facets.h"
#include "cloud/rpc/answer.h"
#include "cloud/search/filter.h"

namespace gleaner::cloud {
namespace {

constexpr int kMaxKeys = 32;

v1::FilterWord::Value ValueOf(FilterWord::Value value) {
  switch (value) {
    case FilterWord::Value::kName:
      return v1::FilterWord::VALUE_NAME;
    case FilterWord::Value::kOneOf:
      return v1::FilterWord::VALUE_ONE_OF;
    case FilterWord::Value::kShare:
      return v1::FilterWord::VALUE_SHARE;
    case FilterWord::Value::kNumber:
      return v1::FilterWord::VALUE_NUMBER;
    case FilterWord::Value::kClass:
      return v1::FilterWord::VALUE_CLASS;
    case FilterWord::Value::kMoment:
      return v1::FilterWord::VALUE_MOMENT;
    case FilterWord::Value::kText:
      return v1::FilterWord::VALUE_TEXT;
  }
  return v1::FilterWord::VALUE_UNSPECIFIED;
}

}  // namespace

grpc::Status FilterService::GetFilterWords(grpc::ServerContext*, const v1::GetFilterWordsRequest*,
                                           v1::GetFilterWordsResponse* response) {
  for (const FilterOf of : {FilterOf::kClips, FilterOf::kFrames}) {
    for (const FilterWord* word : words_.Words(of)) {
      if (word->about != of) continue;  // it was there already
      v1::FilterWord* out = response->add_words();
      out->set_key(word->key);
      out->set_value(ValueOf(word->value));
      for (const std::string& one : word->one_of) out->add_one_of(one);
      out->set_help(word->help);
      out->set_example(word->example);
      out->set_of_clips(of == FilterOf::kClips);
    }
  }
  return grpc::Status::OK;
}

grpc::Status FilterService::GetFrameFacets(grpc::ServerContext*,
                                           const v1::GetFrameFacetsRequest* request,
                                           v1::GetFrameFacetsResponse* response) {
  if (request->keys_size() > kMaxKeys) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "keys: at most 32"};
  }
  const auto filter = ParseFilter(request->filter(), clock_.WallNs(), words_, FilterOf::kFrames);
  if (!filter.ok()) return ToCaller(filter.status());
  const std::vector<std::string> keys(request->keys().begin(), request->keys().end());
  return Answer(database_.Read([&](Sql& sql) { return CountFrames(sql, *filter, keys, words_); }),
                response);
}

}  // namespace gleaner::cloud
