// What the members of libxrt_hwemu.a that make up XRT's device and system objects want
// from a driver in C++, and what a driver calls in libxrt_coreutil. Debian installs
// neither header, so the declarations are repeated here; they are those of XRT 2.13, and
// the build checks that it is 2.13.
#include "glue.h"

#include <xrt.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <new>

#include "board.h"

namespace xrt_core {

class device {
 public:
  void register_axlf(const axlf *file);
};

namespace query {
enum class key_type : int;
}

namespace hwemu {
std::shared_ptr<xrt_core::device> get_userpf_device(void *handle, unsigned int index);
}

}  // namespace xrt_core

namespace {

using Device = std::shared_ptr<xrt_core::device>;

// Positions in xrt_core::query::key_type of 2.13.
constexpr int kM2m = 60;

}  // namespace

int systole_glue_open(void **slot, void *handle, unsigned index) {
  if (*slot) return 0;
  try {
    // Never destroyed: XRT uses the object after it has closed the handle.
    *slot = new Device(xrt_core::hwemu::get_userpf_device(handle, index));
    return 0;
  } catch (const std::exception &failure) {
    std::fprintf(stderr, "systole card: %s\n", failure.what());
  } catch (...) {
    std::fprintf(stderr, "systole card: XRT refuses the device\n");
  }
  return -1;
}

int systole_glue_register(void *slot, const struct axlf *file) {
  if (!slot) return -ENODEV;
  try {
    (*static_cast<Device *>(slot))->register_axlf(file);
    return 0;
  } catch (const std::exception &failure) {
    std::fprintf(stderr, "systole card: %s\n", failure.what());
  } catch (...) {
    std::fprintf(stderr, "systole card: XRT refuses the xclbin\n");
  }
  return -EINVAL;
}

// ---- asked for by device_hwemu
// ---------------------------------------------------------

int xclUpdateSchedulerStat(void *) { return 0; }
int xclInternalResetDevice(void *, xclResetKind) { return -EOPNOTSUPP; }
int xclCmaEnable(void *, bool, uint64_t) { return -EOPNOTSUPP; }
int xclCloseExportHandle(int file) { return systole_buffer_close_export(file); }

namespace xclhwemhal2 {

class HwEmShim {
 public:
  static HwEmShim *handleCheck(void *handle);
  uint32_t deviceQuery(xrt_core::query::key_type key);
};

HwEmShim *HwEmShim::handleCheck(void *handle) {
  return reinterpret_cast<HwEmShim *>(systole_handle_check(handle));
}

// Copies between buffers go over the card; it has a DMA engine.
uint32_t HwEmShim::deviceQuery(xrt_core::query::key_type key) {
  return static_cast<int>(key) == kM2m ? 1 : 0;
}

}  // namespace xclhwemhal2
