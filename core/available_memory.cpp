// Linux estimates it in /proc/meminfo.
#include "core/available_memory.hpp"

#include <unistd.h>

#include <fstream>
#include <string>

namespace xlab {

std::uint64_t available_memory() {
  std::ifstream lines("/proc/meminfo");
  std::string name, unit;
  std::uint64_t kibibytes = 0;
  while (lines >> name >> kibibytes) {
    if (name == "MemAvailable:") return kibibytes * 1024;
    std::getline(lines, unit);
  }
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace xlab
