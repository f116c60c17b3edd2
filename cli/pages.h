// Lists that the server gives page by page.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "common/status.h"

namespace gleaner::cli {

inline constexpr uint32_t kPageSize = 500;

// A list from its first page on, of at most `limit` rows (0: all), as one answer. `rows` says where
// a page has them: &v1::ListJobsResponse::mutable_jobs. What else a page says is the last one's.
template <typename Request, typename Response, typename Rows>
absl::StatusOr<Response> ReadPages(Client& client, std::string_view method, Request request,
                                   Rows* (Response::*rows)(), uint32_t limit = 0) {
  uint32_t left = limit == 0 ? std::numeric_limits<uint32_t>::max() : limit;
  Rows all;
  for (;;) {
    request.set_page_size(std::min(left, kPageSize));
    Response page;
    RETURN_IF_ERROR(client.Call(method, request, &page));
    Rows& some = *(page.*rows)();
    left -= std::min(left, static_cast<uint32_t>(some.size()));
    all.MergeFrom(some);
    request.set_page_token(page.next_page_token());
    if (left > 0 && !request.page_token().empty()) continue;
    some.Swap(&all);
    page.clear_next_page_token();
    return page;
  }
}

}  // namespace gleaner::cli
