// How a view gets a texture, whoever draws it.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <imgui.h>

namespace xlab::ui {

/// Makes textures from RGBA8 pixels. Implemented by each presenter; tests implement it with
/// nothing.
class Images {
 public:
  virtual ~Images() = default;
  /// The texture named `key`, holding `width` x `height` RGBA8 `pixels` (row by row, top first). It
  /// is uploaded only when `version` or the size differs from the last call with this key. Drawn
  /// without interpolation. The id stays valid until the end of the frame.
  virtual ImTextureID texture(const std::string& key, std::uint64_t version, int width, int height,
                              std::span<const std::uint32_t> pixels) = 0;
};

}  // namespace xlab::ui
