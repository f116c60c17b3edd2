#include "cloud/curate/selection_rows.h"

#include <fmt/format.h>

#include <array>

namespace gleaner::cloud {
namespace {

constexpr std::array<std::string_view, 1> kMigrations = {R"(
  -- body: v1.Selection.
  CREATE TABLE selection (number NUMBERED, name TEXT NOT NULL UNIQUE, body BYTES NOT NULL);
  APPEND_ONLY selection;

  -- position: from 0, in the order in which they were chosen. body: v1.SelectionPick without its
  -- frame.
  CREATE TABLE selection_pick (
    number NUMBERED, selection BIGINT NOT NULL, position BIGINT NOT NULL,
    clip TEXT NOT NULL, camera TEXT NOT NULL, pts BIGINT NOT NULL, body BYTES NOT NULL,
    UNIQUE (selection, position));
  CREATE INDEX selection_pick_frame ON selection_pick (clip, camera, pts, selection);
  APPEND_ONLY selection_pick;
)"};

}  // namespace

RoomTables CurateTables() { return {.room = "curate", .migrations = kMigrations}; }

absl::StatusOr<SelectionRow> ReadSelection(Sql& sql, std::string_view name) {
  SelectionRow row;
  std::string body;
  BytesOut bytes{&body};
  if (!sql.Query("SELECT number, body FROM selection WHERE name = :name", In(name),
                 Out(row.number, bytes), [] {})) {
    return absl::NotFoundError(fmt::format("there is no selection {}", name));
  }
  row.selection.ParseFromString(body);
  return row;
}

bool HasSelection(Sql& sql, std::string_view name) { return ReadSelection(sql, name).ok(); }

std::vector<SelectionRow> ReadSelections(Sql& sql, uint64_t before, size_t limit) {
  std::vector<SelectionRow> rows;
  SelectionRow row;
  std::string body;
  BytesOut bytes{&body};
  sql.Query(
      "SELECT number, body FROM selection WHERE number < :before ORDER BY number DESC LIMIT "
      ":limit",
      In(before, limit), Out(row.number, bytes), [&] {
        row.selection.ParseFromString(body);
        rows.push_back(row);
      });
  return rows;
}

std::vector<v1::SelectionPick> ReadPicks(Sql& sql, uint64_t selection, uint64_t from,
                                         size_t limit) {
  std::vector<v1::SelectionPick> picks;
  std::string clip, camera, body;
  int64_t pts = 0;
  BytesOut bytes{&body};
  sql.Query(
      "SELECT clip, camera, pts, body FROM selection_pick WHERE selection = :selection AND "
      "position >= :from ORDER BY position LIMIT :limit",
      In(selection, from, limit), Out(clip, camera, pts, bytes), [&] {
        v1::SelectionPick& pick = picks.emplace_back();
        pick.ParseFromString(body);
        pick.mutable_frame()->set_clip(clip);
        pick.mutable_frame()->set_camera(camera);
        pick.mutable_frame()->set_pts(pts);
      });
  return picks;
}

void InsertSelection(Sql& sql, const v1::Selection& selection,
                     const std::vector<v1::SelectionPick>& picks) {
  uint64_t number = 0;
  const std::string body = selection.SerializeAsString();
  sql.Query("INSERT INTO selection (name, body) VALUES (:name, :body) RETURNING number",
            In(selection.name(), Bytes{body}), Out(number), [] {});
  for (size_t i = 0; i < picks.size(); ++i) {
    v1::SelectionPick rest = picks[i];
    rest.clear_frame();
    const std::string pick = rest.SerializeAsString();
    const v1::FrameId& frame = picks[i].frame();
    sql.Run(
        "INSERT INTO selection_pick (selection, position, clip, camera, pts, body) VALUES "
        "(:selection, :position, :clip, :camera, :pts, :body)",
        In(number, i, frame.clip(), frame.camera(), frame.pts(), Bytes{pick}));
  }
}

}  // namespace gleaner::cloud
