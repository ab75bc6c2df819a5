// Sound safetensors files: what is written is read back, in every type, byte for byte.
#include "core/files/safetensors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "core/hash.hpp"
#include "tests/complaint.hpp"
#include "tests/temporary_folder.hpp"

namespace xlab::tests {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A tensor of raw bytes in any stored type.
StoredTensor raw(const std::string& name, StoredType type, std::vector<std::int64_t> shape,
                 std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return {name, type, std::move(shape), std::as_bytes(std::span(*owner)), owner};
}

template <typename T>
std::string bytes_of(std::vector<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class Safetensors : public testing::Test {
 protected:
  SafetensorsFile again(std::vector<StoredTensor> tensors, const Metadata& metadata = {}) {
    write_safetensors(path_, std::move(tensors), metadata);
    return read_safetensors(path_);
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "a model é.safetensors";
};

TEST_F(Safetensors, EveryTypeComesBackWithItsBytes) {
  std::mt19937 random(1);
  std::vector<StoredTensor> tensors;
  for (int type = 0; type <= static_cast<int>(StoredType::u64); ++type) {
    std::string bytes(6 * size_of(static_cast<StoredType>(type)), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    tensors.push_back(raw(fmt::format("t{}", type), static_cast<StoredType>(type), {2, 3}, bytes));
  }
  const SafetensorsFile file = again(tensors, {{"format", "xlab"}, {"é \"\n", "\\ 日本 😀"}});
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const StoredTensor& tensor : tensors) {
    const StoredTensor& found = file.at(tensor.name);
    EXPECT_EQ(found.type, tensor.type);
    EXPECT_EQ(found.shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(found.bytes, tensor.bytes)) << name_of(tensor.type);
  }
  EXPECT_EQ(file.metadata().at("é \"\n"), "\\ 日本 😀");
  EXPECT_EQ(file.metadata().size(), 2u);
}

TEST_F(Safetensors, ValuesAreConverted) {
  const SafetensorsFile file =
      again({raw("bool", StoredType::boolean, {3}, std::string("\0\1\2", 3)),
             raw("u8", StoredType::u8, {2}, "\x01\xff"), raw("i8", StoredType::i8, {2}, "\x01\xff"),
             raw("i16", StoredType::i16, {2}, bytes_of<std::int16_t>({-300, 300})),
             raw("u16", StoredType::u16, {1}, bytes_of<std::uint16_t>({65535})),
             raw("f16", StoredType::f16, {3}, bytes_of<std::uint16_t>({0x3c00, 0xc500, 0x0001})),
             raw("bf16", StoredType::bf16, {2}, bytes_of<std::uint16_t>({0x3f80, 0xc0a0})),
             raw("i32", StoredType::i32, {2}, bytes_of<std::int32_t>({-70000, 7})),
             raw("u32", StoredType::u32, {1}, bytes_of<std::uint32_t>({4000000000u})),
             raw("f32", StoredType::f32, {2}, bytes_of<float>({-1.5f, 0.25f})),
             raw("f64", StoredType::f64, {1}, bytes_of<double>({1.0 / 3})),
             raw("i64", StoredType::i64, {1}, bytes_of<std::int64_t>({-(1ll << 40)})),
             raw("u64", StoredType::u64, {1}, bytes_of<std::uint64_t>({~0ull}))});
  EXPECT_THAT(file.values_as<std::uint8_t>("bool"), ElementsAre(0, 1, 1));
  EXPECT_THAT(file.values_as<std::int32_t>("u8"), ElementsAre(1, 255));
  EXPECT_THAT(file.values_as<float>("i8"), ElementsAre(1.f, -1.f));
  EXPECT_THAT(file.values_as<std::int64_t>("i16"), ElementsAre(-300, 300));
  EXPECT_THAT(file.values_as<double>("u16"), ElementsAre(65535.0));
  EXPECT_THAT(file.values_as<float>("f16"), ElementsAre(1.f, -5.f, 0x1p-24f));
  EXPECT_THAT(file.values_as<double>("bf16"), ElementsAre(1.0, -5.0));
  EXPECT_THAT(file.values_as<std::int32_t>("i32"), ElementsAre(-70000, 7));
  EXPECT_THAT(file.values_as<std::int64_t>("u32"), ElementsAre(4000000000ll));
  EXPECT_THAT(file.values_as<double>("f32"), ElementsAre(-1.5, 0.25));
  EXPECT_THAT(file.values_as<double>("f64"), ElementsAre(1.0 / 3));
  EXPECT_THAT(file.values_as<float>("f64"), ElementsAre(static_cast<float>(1.0 / 3)));
  EXPECT_THAT(file.values_as<std::int64_t>("i64"), ElementsAre(-(1ll << 40)));

  EXPECT_THAT(complaint([&] { file.values_as<std::int64_t>("u64"); }),
              testing::AllOf(HasSubstr("'u64'"), HasSubstr("18446744073709551615")));
  EXPECT_THAT(complaint([&] { file.values_as<std::int32_t>("i64"); }), HasSubstr("out of range"));
  EXPECT_THAT(complaint([&] { file.values_as<std::uint8_t>("i8"); }), HasSubstr("-1"));
  EXPECT_THAT(complaint([&] { file.values_as<std::int32_t>("f32"); }), HasSubstr("F32"));
  EXPECT_THAT(complaint([&] { file.values_as<float>("none"); }), HasSubstr("has no tensor 'none'"));
}

TEST_F(Safetensors, AllHalfPrecisionNumbers) {
  std::vector<std::uint16_t> bits(65536);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
  const SafetensorsFile file = again({raw("f16", StoredType::f16, {65536}, bytes_of(bits)),
                                      raw("bf16", StoredType::bf16, {65536}, bytes_of(bits))});
  const auto f16 = file.values_as<float>("f16");
  const auto bf16 = file.values_as<float>("bf16");
  for (std::uint32_t i = 0; i < 65536; ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(bf16[i]), i << 16);
    const int exponent = static_cast<int>((i >> 10) & 31);
    const double fraction = static_cast<double>(i & 1023) / 1024;
    double expected =
        exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
    if (exponent == 31) expected = std::numeric_limits<double>::infinity();
    if (exponent == 31 && fraction != 0) {
      ASSERT_TRUE(std::isnan(f16[i]));
    } else {
      ASSERT_EQ(static_cast<double>(f16[i]), (i & 0x8000) != 0 ? -expected : expected) << i;
    }
    ASSERT_EQ(std::signbit(f16[i]), (i & 0x8000) != 0) << i;
  }
}

TEST_F(Safetensors, TensorsKeepShapeAndNumbers) {
  const auto weights = Tensor::from<float>({2, 3}, std::vector<float>{1, 2, 3, 4, 5, -6});
  const auto precise = Tensor::from<double>({2}, std::vector<double>{0.1, 1e300});
  const auto tokens = Tensor::from<std::int32_t>({1, 3}, std::vector<std::int32_t>{7, 0, -1});
  const SafetensorsFile file = again(
      {stored("weights", weights), stored("precise", precise), stored("tokens", tokens),
       stored<std::int64_t>("wide", {2}, {5, 6}), stored<std::uint8_t>("text", {3}, {1, 2, 3}),
       stored<float>("one", {}, {2.5f}), stored<float>("none", {0, 4}, {}),
       stored<float>("six axes", {1, 1, 1, 1, 1, 1}, {1.f})});
  EXPECT_EQ(file.tensor("weights", DType::f32).shape(), weights.shape());
  EXPECT_THAT(file.tensor("weights", DType::f32).span<float>(), ElementsAre(1, 2, 3, 4, 5, -6));
  EXPECT_THAT(file.tensor("weights", DType::f64).span<double>(), ElementsAre(1, 2, 3, 4, 5, -6));
  EXPECT_THAT(file.tensor("precise", DType::f64).span<double>(), ElementsAre(0.1, 1e300));
  EXPECT_THAT(file.tensor("tokens", DType::i32).span<std::int32_t>(), ElementsAre(7, 0, -1));
  EXPECT_THAT(file.tensor("wide", DType::i32).span<std::int32_t>(), ElementsAre(5, 6));
  EXPECT_EQ(file.tensor("one", DType::f32).shape(), Shape({1}));
  EXPECT_TRUE(file.at("one").shape.empty());
  EXPECT_EQ(file.tensor("none", DType::f32).elements(), 0);
  EXPECT_THAT(complaint([&] { file.tensor("six axes", DType::f32); }), HasSubstr("6 axes"));
  EXPECT_THAT(complaint([&] { file.tensor("weights", DType::i32); }), HasSubstr("whole"));
  EXPECT_FALSE(file.contains("Weights"));
  EXPECT_EQ(file.find(""), nullptr);
}

TEST_F(Safetensors, OrdinaryAndExtremeNumbersPassUnchanged) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {NAN, inf, -inf, 3e38f, 1e-45f, -0.f};
  const SafetensorsFile file = again({stored<float>("w", {6}, values)});
  const auto loaded = file.values_as<float>("w");
  EXPECT_EQ(std::memcmp(loaded.data(), values.data(), values.size() * sizeof(float)), 0);
}

TEST_F(Safetensors, TheSameTensorsGiveTheSameBytes) {
  std::mt19937 random(2);
  for (int round = 0; round < 40; ++round) {
    std::vector<StoredTensor> tensors;
    const auto count = random() % 8;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto type = static_cast<StoredType>(random() % 13);
      std::vector<std::int64_t> shape(random() % 5);
      std::int64_t elements = 1;
      for (auto& extent : shape) elements *= extent = static_cast<std::int64_t>(random() % 5);
      std::string bytes(static_cast<std::size_t>(elements) * size_of(type), '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      tensors.push_back(raw(fmt::format("block.{}.ä\"{}", random() % 3, i), type, shape, bytes));
    }
    const Metadata metadata = round % 2 != 0 ? Metadata{{"step", "12"}, {"a", ""}} : Metadata{};
    const SafetensorsFile file = again(tensors, metadata);
    const std::string first = bytes_of_file(path_);
    std::uint64_t length = 0;
    std::memcpy(&length, first.data(), 8);
    EXPECT_EQ(length % 8, 0u);

    again(file.tensors(), file.metadata());
    EXPECT_EQ(bytes_of_file(path_), first);
    std::shuffle(tensors.begin(), tensors.end(), random);
    again(tensors, metadata);
    EXPECT_EQ(bytes_of_file(path_), first);

    const SafetensorsFile parsed = parse_safetensors(std::as_bytes(std::span(first)), "memory");
    EXPECT_EQ(parsed.tensors().size(), file.tensors().size());
    EXPECT_EQ(parsed.metadata(), file.metadata());
  }
}

TEST_F(Safetensors, AnEmptyFileIsAFile) {
  const SafetensorsFile file = again({});
  EXPECT_TRUE(file.tensors().empty());
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_EQ(bytes_of_file(path_), std::string("\x08\0\0\0\0\0\0\0{}      ", 16));
}

TEST_F(Safetensors, TheLargestNameAndRankAreTaken) {
  const std::string name(kMostNameBytes, 'n');
  const SafetensorsFile file = again({stored<float>(name, {1, 1, 1, 1, 1, 1, 1, 2}, {1.f, 2.f})});
  EXPECT_THAT(file.values_as<float>(name), ElementsAre(1.f, 2.f));
}

TEST_F(Safetensors, TheLongestMetadataIsReadAgain) {
  const Metadata longest = {{"a", std::string(kMostValueBytes / 6 - 1, '\x01')},
                            {"b", std::string(kMostValueBytes / 6 - 1, '"')}};
  EXPECT_EQ(again({}, longest).metadata(), longest);
}

TEST_F(Safetensors, ReadsWhatOthersWrite) {
  // Keys in another order, spaces, tensors listed out of order, no padding, odd offsets.
  const std::string header =
      R"( { "b" : {"shape":[2],"data_offsets":[1,9],"dtype":"F32"},
            "__metadata__":{"format":"pt"},"a":{"data_offsets":[0,1],"dtype":"U8","shape":[ ]} })";
  const std::string text = header.substr(1);
  std::string bytes(8, '\0');
  const std::uint64_t length = text.size();
  std::memcpy(bytes.data(), &length, 8);
  put_file(path_, bytes + text + '\x07' + bytes_of<float>({1.f, 2.f}));
  const SafetensorsFile file = read_safetensors(path_);
  EXPECT_THAT(file.values_as<float>("b"), ElementsAre(1.f, 2.f));
  EXPECT_THAT(file.values_as<std::uint8_t>("a"), ElementsAre(7));
  EXPECT_EQ(file.tensors()[0].name, "a");
}

TEST_F(Safetensors, NumbersOutliveTheFile) {
  std::vector<StoredTensor> tensors;
  {
    const SafetensorsFile file = again({stored<float>("w", {2}, {1.f, 2.f})});
    tensors = file.tensors();
  }
  EXPECT_EQ(tensors[0].bytes[3], std::byte{0x3f});
}

TEST_F(Safetensors, RefusesToWriteWhatItWouldNotRead) {
  const auto refuses = [&](std::vector<StoredTensor> tensors, const std::string& why,
                           const Metadata& metadata = {}) {
    EXPECT_THAT(complaint([&] { write_safetensors(path_, tensors, metadata); }),
                testing::AllOf(HasSubstr(path_.string()), HasSubstr(why)));
    EXPECT_FALSE(std::filesystem::exists(path_));
  };
  refuses({stored<float>("w", {1}, {1}), raw("w", StoredType::u8, {1}, "x")}, "two tensors");
  refuses({stored<float>("w", {2}, {1})}, "comes with 4 bytes");
  refuses({stored<float>("w", {-1}, {1})}, "impossible shape (-1)");
  refuses({stored<float>("w", {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1})}, "impossible shape");
  refuses({stored<float>("w", {1ll << 62, 4}, {})}, "impossible shape");
  refuses({stored<float>("", {1}, {1})}, "cannot have the name ''");
  refuses({stored<float>("__metadata__", {1}, {1})}, "cannot have the name");
  refuses({stored<float>("\xff", {1}, {1})}, "no usable name");
  refuses({stored<float>(std::string("a\0", 2), {1}, {1})}, "no usable name");
  refuses({stored<float>(std::string(1025, 'n'), {1}, {1})}, "no usable name");
  refuses({}, "no valid UTF-8", {{"key", "\xc0\x80"}});
  refuses({}, "its metadata 'key' is too long", {{"key", std::string(kMostValueBytes, 'v')}});
  Metadata much;
  for (int i = 0; i < 40; ++i) much[std::to_string(i)] = std::string(500000, 'v');
  refuses({}, "names and metadata take", much);
  EXPECT_THAT(complaint([] { stored("w", Tensor()); }), HasSubstr("'w'"));
}

TEST(Hash, KnownValuesAndPieces) {
  const auto hash = [](std::string_view text, std::uint64_t seed = kHashSeed) {
    return hash_bytes(std::as_bytes(std::span(text)), seed);
  };
  EXPECT_EQ(hash(""), 0xcbf29ce484222325u);
  EXPECT_EQ(hash("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(hash("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(hash("bar", hash("foo")), hash("foobar"));
}

}  // namespace
}  // namespace xlab::tests
