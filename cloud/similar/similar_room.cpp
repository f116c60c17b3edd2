#include "cloud/similar/similar_room.h"

#include "cloud/similar/embeddings.h"

namespace gleaner::cloud {
namespace {

class SimilarFrames : public Room {
 public:
  explicit SimilarFrames(RoomContext& context) {
    context.with_check.emplace_back(DropLostEmbeddings);
  }
};

}  // namespace

RoomEntry SimilarRoom() {
  return {.tables = SimilarTables(), .open = [](RoomContext& context) -> std::unique_ptr<Room> {
            return std::make_unique<SimilarFrames>(context);
          }};
}

}  // namespace gleaner::cloud
