// What tests ask of the emulated card, and do to it.
#pragma once

#include <cstddef>

#define XLAB_EMULATION

namespace emulation {

enum class Order { ascending, descending, interleaved };
/// The order in which threads of a block, and blocks, take their turns.
void set_order(Order order);

/// From the n-th call of the runtime on (1 is the next one) calls fail: that one alone for
/// out-of-memory and refused launches, all of them from there for errors that lose the device.
/// 0: none.
void fail_call(long n, int error);
/// How many calls of the runtime there were.
long calls();
/// Bytes of device memory that are allocated now, and the most there may be.
std::size_t allocated_bytes();
void set_memory_bytes(std::size_t bytes);
/// How many times the host has waited for the device, and how many copies went to the host.
long synchronisations();
long copies_to_host();
long launches();
/// Which major version of cuBLAS the computer has, asked for once; 0: none. Products it has
/// computed, and whether it refuses them all.
void set_cublas_version(int major);
void set_cublas_refuses(bool refuses);
long cublas_products();
/// Takes the device away, and gives it back whole, as a new process would have it.
void set_devices(int count);
void restore();

}  // namespace emulation
