// Scan conversion: rectangles are filled or blitted, all other triangles are walked row by row.
#include "app/canvas_raster.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace xlab::app {
namespace {

struct Clip {
  int x0, y0, x1, y1;
  bool empty() const { return x0 >= x1 || y0 >= y1; }
};

/// What triangles are filled with: either the atlas' coverage or a picture.
struct Texture {
  const unsigned char* alpha = nullptr;
  const std::uint32_t* colour = nullptr;
  int width = 0, height = 0;
};

/// First pixel whose centre is at or right of `x`.
int first_pixel(float x) {
  return static_cast<int>(std::clamp(std::ceil(x - 0.5f), -1.0e6f, 1.0e6f));
}

std::uint32_t divide_255(std::uint32_t x) {
  return (x + 128 + ((x + 128) >> 8)) >> 8;
}

std::uint32_t pack(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
  return 0xff000000u | (r << 16) | (g << 8) | b;
}

/// ImGui keeps red in the lowest byte.
std::uint32_t red(std::uint32_t c) {
  return c & 0xffu;
}
std::uint32_t green(std::uint32_t c) {
  return (c >> 8) & 0xffu;
}
std::uint32_t blue(std::uint32_t c) {
  return (c >> 16) & 0xffu;
}
std::uint32_t alpha(std::uint32_t c) {
  return c >> 24;
}

std::uint32_t blend(std::uint32_t under, std::uint32_t r, std::uint32_t g, std::uint32_t b,
                    std::uint32_t a) {
  const std::uint32_t rest = 255 - a;
  return pack(divide_255(r * a + ((under >> 16) & 0xffu) * rest),
              divide_255(g * a + ((under >> 8) & 0xffu) * rest),
              divide_255(b * a + (under & 0xffu) * rest));
}

void fill_span(std::uint32_t* row, int count, std::uint32_t colour) {
  const std::uint32_t a = alpha(colour), r = red(colour), g = green(colour), b = blue(colour);
  if (a == 255) {
    std::fill_n(row, count, pack(r, g, b));
  } else if (a > 0) {
    const std::uint32_t rest = 255 - a, ra = r * a, ga = g * a, ba = b * a;
    for (int i = 0; i < count; ++i) {
      const std::uint32_t under = row[i];
      row[i] = pack(divide_255(ra + ((under >> 16) & 0xffu) * rest),
                    divide_255(ga + ((under >> 8) & 0xffu) * rest),
                    divide_255(ba + (under & 0xffu) * rest));
    }
  }
}

void fill_rect(const RasterTarget& target, const Clip& clip, const ImVec2& from, const ImVec2& to,
               std::uint32_t colour) {
  const int x0 = std::max(clip.x0, first_pixel(from.x)), x1 = std::min(clip.x1, first_pixel(to.x));
  const int y0 = std::max(clip.y0, first_pixel(from.y)), y1 = std::min(clip.y1, first_pixel(to.y));
  if (x0 >= x1) return;
  for (int y = y0; y < y1; ++y) {
    fill_span(target.pixels + static_cast<std::ptrdiff_t>(y) * target.stride + x0, x1 - x0, colour);
  }
}

float coverage(const Texture& texture, int x, int y) {
  x = std::clamp(x, 0, texture.width - 1);
  y = std::clamp(y, 0, texture.height - 1);
  return texture.alpha[static_cast<std::ptrdiff_t>(y) * texture.width + x];
}

/// The texture at (u, v), in texels, as an ImGui colour multiplied by `colour`.
std::uint32_t sample(const Texture& texture, float u, float v, std::uint32_t colour) {
  if (texture.colour) {
    const int x = std::clamp(static_cast<int>(std::floor(u)), 0, texture.width - 1);
    const int y = std::clamp(static_cast<int>(std::floor(v)), 0, texture.height - 1);
    const std::uint32_t texel = texture.colour[static_cast<std::ptrdiff_t>(y) * texture.width + x];
    if (colour == 0xffffffffu) return texel;
    return divide_255(red(texel) * red(colour)) | (divide_255(green(texel) * green(colour)) << 8) |
           (divide_255(blue(texel) * blue(colour)) << 16) |
           (divide_255(alpha(texel) * alpha(colour)) << 24);
  }
  const float x = std::floor(u - 0.5f), y = std::floor(v - 0.5f);
  const float fx = u - 0.5f - x, fy = v - 0.5f - y;
  const int ix = static_cast<int>(x), iy = static_cast<int>(y);
  const float top = coverage(texture, ix, iy) * (1 - fx) + coverage(texture, ix + 1, iy) * fx;
  const float low =
      coverage(texture, ix, iy + 1) * (1 - fx) + coverage(texture, ix + 1, iy + 1) * fx;
  const auto a = static_cast<std::uint32_t>(top * (1 - fy) + low * fy + 0.5f);
  return (colour & 0x00ffffffu) | (divide_255(a * alpha(colour)) << 24);
}

void put(std::uint32_t& pixel, std::uint32_t colour) {
  const std::uint32_t a = alpha(colour);
  if (a == 255) {
    pixel = pack(red(colour), green(colour), blue(colour));
  } else if (a > 0) {
    pixel = blend(pixel, red(colour), green(colour), blue(colour), a);
  }
}

void blit(const RasterTarget& target, const Clip& clip, const ImDrawVert& from,
          const ImDrawVert& to, const Texture& texture) {
  const float width = to.pos.x - from.pos.x, height = to.pos.y - from.pos.y;
  if (width <= 0 || height <= 0) return;
  const int x0 = std::max(clip.x0, first_pixel(from.pos.x));
  const int x1 = std::min(clip.x1, first_pixel(to.pos.x));
  const int y0 = std::max(clip.y0, first_pixel(from.pos.y));
  const int y1 = std::min(clip.y1, first_pixel(to.pos.y));
  const float w = static_cast<float>(texture.width), h = static_cast<float>(texture.height);
  const float du = (to.uv.x - from.uv.x) * w / width, dv = (to.uv.y - from.uv.y) * h / height;
  const float u0 = from.uv.x * w + (static_cast<float>(x0) + 0.5f - from.pos.x) * du;
  const float v0 = from.uv.y * h + (static_cast<float>(y0) + 0.5f - from.pos.y) * dv;
  const auto on_texels = [](float start, float step) {
    return std::abs(step - 1.0f) < 1e-3f &&
           std::abs(start - 0.5f - std::round(start - 0.5f)) < 1e-2f;
  };
  const bool glyph = texture.alpha && on_texels(u0, du) && on_texels(v0, dv);
  for (int y = y0; y < y1; ++y) {
    std::uint32_t* row = target.pixels + static_cast<std::ptrdiff_t>(y) * target.stride;
    const float v = v0 + static_cast<float>(y - y0) * dv;
    if (glyph) {
      const int ty = std::clamp(static_cast<int>(std::floor(v)), 0, texture.height - 1);
      const int tx = static_cast<int>(std::floor(u0));
      const unsigned char* texels = texture.alpha + static_cast<std::ptrdiff_t>(ty) * texture.width;
      for (int x = x0; x < x1; ++x) {
        const std::uint32_t a = texels[std::clamp(tx + x - x0, 0, texture.width - 1)];
        if (a) put(row[x], (from.col & 0x00ffffffu) | (divide_255(a * alpha(from.col)) << 24));
      }
    } else {
      for (int x = x0; x < x1; ++x) {
        put(row[x], sample(texture, u0 + static_cast<float>(x - x0) * du, v, from.col));
      }
    }
  }
}

/// A value that is linear over a triangle.
struct Plane {
  float start, dx, dy;
  float at(float x, float y) const { return start + dx * x + dy * y; }
};

/// Where the edge between two corners crosses the row at `y`; the corner above comes first, so that
/// triangles with a common edge agree on every pixel.
float crossing(const ImVec2& p, const ImVec2& q, float y) {
  const ImVec2& above = p.y < q.y || (p.y == q.y && p.x < q.x) ? p : q;
  const ImVec2& below = &above == &p ? q : p;
  return above.x + (y - above.y) * (below.x - above.x) / (below.y - above.y);
}

void triangle(const RasterTarget& target, const Clip& clip, const ImDrawVert& a,
              const ImDrawVert& b, const ImDrawVert& c, const Texture& texture) {
  const ImVec2 p[3] = {a.pos, b.pos, c.pos};
  const float area = (p[1].x - p[0].x) * (p[2].y - p[0].y) - (p[2].x - p[0].x) * (p[1].y - p[0].y);
  if (area == 0.0f || !std::isfinite(area)) return;
  const float top = std::min({p[0].y, p[1].y, p[2].y}), bottom = std::max({p[0].y, p[1].y, p[2].y});
  const int y0 = std::max(clip.y0, first_pixel(top)), y1 = std::min(clip.y1, first_pixel(bottom));
  if (y0 >= y1) return;

  const auto plane = [&](float fa, float fb, float fc) {
    const float dx = ((fb - fa) * (p[2].y - p[0].y) - (fc - fa) * (p[1].y - p[0].y)) / area;
    const float dy = ((fc - fa) * (p[1].x - p[0].x) - (fb - fa) * (p[2].x - p[0].x)) / area;
    return Plane{fa - dx * p[0].x - dy * p[0].y, dx, dy};
  };
  const auto channel = [&](int shift) {
    const auto part = [shift](std::uint32_t x) { return static_cast<float>((x >> shift) & 0xffu); };
    return plane(part(a.col), part(b.col), part(c.col));
  };
  const bool one_colour = a.col == b.col && b.col == c.col;
  const bool one_texel =
      a.uv.x == b.uv.x && a.uv.y == b.uv.y && b.uv.x == c.uv.x && b.uv.y == c.uv.y && texture.alpha;
  std::array<Plane, 4> colours{};
  if (!one_colour) colours = {channel(0), channel(8), channel(16), channel(24)};
  Plane u{}, v{};
  if (!one_texel) {
    const float w = static_cast<float>(texture.width), h = static_cast<float>(texture.height);
    u = plane(a.uv.x * w, b.uv.x * w, c.uv.x * w);
    v = plane(a.uv.y * h, b.uv.y * h, c.uv.y * h);
  }

  for (int y = y0; y < y1; ++y) {
    const float cy = static_cast<float>(y) + 0.5f;
    float left = 3.0e38f, right = -3.0e38f;
    for (int i = 0; i < 3; ++i) {
      const ImVec2 &s = p[i], &e = p[(i + 1) % 3];
      if ((s.y <= cy) == (e.y <= cy)) continue;
      const float x = crossing(s, e, cy);
      left = std::min(left, x);
      right = std::max(right, x);
    }
    left = std::clamp(left, static_cast<float>(clip.x0), static_cast<float>(clip.x1) + 1);
    right = std::clamp(right, static_cast<float>(clip.x0) - 1, static_cast<float>(clip.x1));
    const int x0 = std::max(clip.x0, first_pixel(left));
    const int x1 = std::min(clip.x1, first_pixel(right));
    if (x0 >= x1) continue;
    std::uint32_t* row = target.pixels + static_cast<std::ptrdiff_t>(y) * target.stride;
    if (one_colour && one_texel) {
      fill_span(row + x0, x1 - x0, a.col);
      continue;
    }
    for (int x = x0; x < x1; ++x) {
      const float cx = static_cast<float>(x) + 0.5f;
      std::uint32_t colour = a.col;
      if (!one_colour) {
        colour = 0;
        for (int i = 0; i < 4; ++i) {
          const float value =
              std::clamp(colours[static_cast<std::size_t>(i)].at(cx, cy), 0.0f, 255.0f);
          colour |= static_cast<std::uint32_t>(value + 0.5f) << (8 * i);
        }
      }
      if (!one_texel) colour = sample(texture, u.at(cx, cy), v.at(cx, cy), colour);
      put(row[x], colour);
    }
  }
}

/// Two triangles that make an upright rectangle of one colour, as ImGui writes them.
bool is_rect(const ImDrawIdx* i, const ImDrawVert* v) {
  if (i[3] != i[0] || i[4] != i[2]) return false;
  const ImDrawVert &a = v[i[0]], &b = v[i[1]], &c = v[i[2]], &d = v[i[5]];
  return a.col == b.col && b.col == c.col && c.col == d.col && a.pos.y == b.pos.y &&
         b.pos.x == c.pos.x && c.pos.y == d.pos.y && d.pos.x == a.pos.x && a.uv.y == b.uv.y &&
         b.uv.x == c.uv.x && c.uv.y == d.uv.y && d.uv.x == a.uv.x && a.pos.x <= c.pos.x &&
         a.pos.y <= c.pos.y;
}

}  // namespace

void rasterise(const ImDrawData& data, const ImFontAtlas& fonts, const RasterTarget& target) {
  for (int n = 0; n < data.CmdListsCount; ++n) {
    const ImDrawList& list = *data.CmdLists[n];
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback) {
        if (command.UserCallback != ImDrawCallback_ResetRenderState) {
          command.UserCallback(&list, &command);
        }
        continue;
      }
      const ImVec4& r = command.ClipRect;
      const auto inside = [](float x, int limit) {
        return static_cast<int>(std::clamp(std::floor(x), 0.0f, static_cast<float>(limit)));
      };
      const Clip clip{inside(r.x, target.width), inside(r.y, target.height),
                      inside(r.z, target.width), inside(r.w, target.height)};
      if (clip.empty()) continue;
      Texture texture{fonts.TexPixelsAlpha8, nullptr, fonts.TexWidth, fonts.TexHeight};
      if (const auto* picture = static_cast<const RasterTexture*>(command.TextureId)) {
        texture = {nullptr, picture->pixels.data(), picture->width, picture->height};
      }
      const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
      const ImDrawIdx* indices = list.IdxBuffer.Data + command.IdxOffset;
      for (unsigned i = 0; i + 2 < command.ElemCount;) {
        const ImDrawIdx* index = indices + i;
        if (i + 5 < command.ElemCount && is_rect(index, vertices)) {
          const ImDrawVert &from = vertices[index[0]], &to = vertices[index[2]];
          if (texture.alpha && from.uv.x == to.uv.x && from.uv.y == to.uv.y) {
            fill_rect(target, clip, from.pos, to.pos, from.col);
          } else {
            blit(target, clip, from, to, texture);
          }
          i += 6;
        } else {
          triangle(target, clip, vertices[index[0]], vertices[index[1]], vertices[index[2]],
                   texture);
          i += 3;
        }
      }
    }
  }
}

}  // namespace xlab::app
