// The vector registers of the instruction set this file is compiled for; for .cpp files of this
// folder only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xlab::kernels {

#if defined(__AVX512F__)
inline constexpr std::size_t kRegisterBytes = 64;
inline constexpr int kRegisters = 32;
#elif defined(__AVX__)
inline constexpr std::size_t kRegisterBytes = 32;
inline constexpr int kRegisters = 16;
#else
inline constexpr std::size_t kRegisterBytes = 16;
inline constexpr int kRegisters = 16;
#endif

template <typename T>
struct RegisterOf {
  typedef T type __attribute__((vector_size(kRegisterBytes)));
};

/// kWidth numbers side by side; arithmetic works number by number.
template <typename T>
using Register = typename RegisterOf<T>::type;
template <typename T>
inline constexpr std::int64_t kWidth = kRegisterBytes / sizeof(T);

/// Both take any address.
template <typename T>
void load(const T* from, Register<T>& to) {
  std::memcpy(&to, from, kRegisterBytes);
}

template <typename T>
void store(T* to, const Register<T>& from) {
  std::memcpy(to, &from, kRegisterBytes);
}

}  // namespace xlab::kernels
