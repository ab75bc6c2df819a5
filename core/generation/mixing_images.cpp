// Copies of the recurrent matrices of a model.
#include "core/generation/mixing_images.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <utility>

#include "core/bytes_text.hpp"
#include "kernels/device/readback.hpp"

namespace xlab {
namespace {

using Images = std::vector<std::shared_ptr<const MixingImage>>;

MixingImage without_numbers(const BlockCard& card, int block, std::int64_t step) {
  MixingImage image;
  image.block = block;
  image.step = step;
  image.gates = static_cast<int>(card.values->mixing.gates.size());
  image.heads = card.heads;
  image.units = card.value_dim;
  return image;
}

/// From (heads, gates, ...) to (gates, heads, ...).
std::vector<float> gates_first(const std::vector<float>& r, int heads, int gates) {
  const auto H = static_cast<std::size_t>(heads), G = static_cast<std::size_t>(gates);
  const std::size_t each = r.size() / (H * G);
  std::vector<float> turned;
  turned.reserve(r.size());
  for (std::size_t gate = 0; gate < G; ++gate) {
    for (std::size_t head = 0; head < H; ++head) {
      const std::size_t stored = head * G + gate;
      const auto first = r.begin() + static_cast<std::ptrdiff_t>(stored * each);
      turned.insert(turned.end(), first, first + static_cast<std::ptrdiff_t>(each));
    }
  }
  return turned;
}

void copy_numbers(const Model& model, std::vector<MixingImage>& images) {
  Readback readback;
  for (const MixingImage& image : images) {
    const Mixing mixing = model.mixing(image.block);
    readback.add(mixing.R);
    readback.add(mixing.b);
  }
  std::vector<std::vector<float>> numbers = readback.fetch();
  for (std::size_t i = 0; i < images.size(); ++i) {
    MixingImage& image = images[i];
    image.R = gates_first(numbers[2 * i], image.heads, image.gates);
    image.b = std::move(numbers[2 * i + 1]);
  }
}

}  // namespace

Images mixing_images(const Model& model, std::int64_t step, double most_bytes) {
  const std::vector<BlockCard> cards = model.cards();
  std::vector<MixingImage> images;
  double bytes = 0.0;
  for (std::size_t block = 0; block < cards.size(); ++block) {
    const Mixing mixing = model.mixing(static_cast<int>(block));
    if (!mixing.R.defined()) continue;
    images.push_back(without_numbers(cards[block], static_cast<int>(block), step));
    bytes += static_cast<double>(mixing.R.elements() + mixing.b.elements()) * sizeof(float);
  }
  std::string left_out;
  if (bytes > most_bytes) {
    left_out =
        fmt::format("The recurrent matrices of this model take {}: they are shown up to {} only.",
                    bytes_text(bytes), bytes_text(most_bytes));
  } else {
    copy_numbers(model, images);
  }
  Images shown(cards.size());
  for (MixingImage& image : images) {
    image.left_out = left_out;
    const auto block = static_cast<std::size_t>(image.block);
    shown[block] = std::make_shared<const MixingImage>(std::move(image));
  }
  return shown;
}

}  // namespace xlab
