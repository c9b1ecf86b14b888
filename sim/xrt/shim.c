/* XRT's driver interface, as the real libxrt_coreutil calls it, on the simulated card.
 * The functions are declared and described in xrt.h of XRT. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xrt.h>

#include "board.h"
#include "card/xrt/xclbin.h"
#include "glue.h"

/* What host/card/xrt looks for to tell the simulated card's library, and the version of
 * XRT that it belongs to, from a card's. */
const char systole_xrt_shim_version[] = SYSTOLE_XRT_VERSION;

/* XRT asks about handles that it has closed. */
static systole_handle *of(xclDeviceHandle handle) { return handle; }

/* ---- the card ------------------------------------------------------------------------
 */

unsigned int xclProbe(void) { return systole_board_count(); }

/* Asked by libxilinxopencl: the interface with buffer objects. */
unsigned int xclVersion(void) { return 2; }

xclDeviceHandle xclOpen(unsigned int index, const char *log,
                        enum xclVerbosityLevel level) {
  (void)log;
  (void)level;
  systole_handle *handle = systole_handle_open(index);
  if (handle && systole_glue_open(systole_handle_slot(handle), handle, index) != 0) {
    systole_handle_close(handle);
    handle = NULL;
  }
  return handle;
}

void xclClose(xclDeviceHandle handle) {
  if (systole_handle_check(handle)) systole_handle_close(handle);
}

int xclGetDeviceInfo2(xclDeviceHandle handle, struct xclDeviceInfo2 *info) {
  systole_board_info board;
  if (!systole_handle_check(handle)) return -ENODEV;
  systole_board_describe(handle, &board);
  memset(info, 0, sizeof *info);
  info->mMagic = 0x586C0C6C;
  (void)snprintf(info->mName, sizeof info->mName, "%s",
                 board.platform[0] ? board.platform : SYSTOLE_XCLBIN_SIMULATED "card");
  info->mHALMajorVersion = 2;
  info->mHALMinorVersion = 1;
  info->mVendorId = 0x10EE;
  info->mDDRSize = board.bytes;
  info->mDDRFreeSize = board.free_bytes;
  info->mDataAlignment = (size_t)sysconf(_SC_PAGESIZE);
  info->mMinTransferSize = 1;
  info->mDDRBankCount = (unsigned short)board.banks;
  info->mNumClocks = 1;
  info->mOCLFrequency[0] = (unsigned short)(board.clock_mhz + 0.5);
  info->mDMAThreads = 1;
  info->mMigCalib = true;
  (void)snprintf(info->mFpga, sizeof info->mFpga, "Verilator");
  return 0;
}

int xclLoadXclBin(xclDeviceHandle handle, const struct axlf *file) {
  if (!systole_handle_check(handle)) return -ENODEV;
  const int error = systole_board_load(handle, file, file->m_header.m_length);
  return error ? error : systole_glue_register(*systole_handle_slot(handle), file);
}

/* The clock of the simulated kernel is what the xclbin says. */
int xclReClock2(xclDeviceHandle handle, unsigned short region,
                const unsigned short *frequency) {
  (void)handle;
  (void)region;
  (void)frequency;
  return -EOPNOTSUPP;
}

int xclP2pEnable(xclDeviceHandle handle, bool enable, bool force) {
  (void)handle;
  (void)enable;
  (void)force;
  return -EOPNOTSUPP;
}

int xclOpenContext(xclDeviceHandle handle, const xuid_t uuid, unsigned int index,
                   bool shared) {
  if (!systole_handle_check(handle)) return -ENODEV;
  return systole_unit_open(handle, uuid,
                           index == (unsigned)-1 ? SYSTOLE_NO_UNIT : (int)index, !shared);
}

int xclCloseContext(xclDeviceHandle handle, const xuid_t uuid, unsigned int index) {
  /* Closing the handle has closed its contexts. */
  if (!systole_handle_check(handle)) return 0;
  return systole_unit_close(handle, uuid,
                            index == (unsigned)-1 ? SYSTOLE_NO_UNIT : (int)index);
}

/* ---- registers -----------------------------------------------------------------------
 */

int xclRegRead(xclDeviceHandle handle, uint32_t unit, uint32_t offset, uint32_t *value) {
  if (!systole_handle_check(handle)) return -ENODEV;
  return systole_register_read(handle, (int)unit, offset, value);
}

int xclRegWrite(xclDeviceHandle handle, uint32_t unit, uint32_t offset, uint32_t value) {
  if (!systole_handle_check(handle)) return -ENODEV;
  return systole_register_write(handle, (int)unit, offset, value);
}

static size_t control_access(systole_handle *handle, int write, uint64_t address,
                             uint32_t *words, size_t bytes) {
  for (size_t i = 0; i < bytes / 4; i++) {
    uint32_t offset = 0;
    const int unit = systole_unit_at(handle, address + 4 * i, &offset);
    const int error = write ? systole_register_write(handle, unit, offset, words[i])
                            : systole_register_read(handle, unit, offset, &words[i]);
    if (error) return (size_t)error;
  }
  return bytes;
}

size_t xclRead(xclDeviceHandle handle, enum xclAddressSpace space, uint64_t offset,
               void *data, size_t bytes) {
  if (!systole_handle_check(handle)) return (size_t)-ENODEV;
  if (space != XCL_ADDR_KERNEL_CTRL) return (size_t)-EOPNOTSUPP;
  return control_access(handle, 0, offset, data, bytes);
}

size_t xclWrite(xclDeviceHandle handle, enum xclAddressSpace space, uint64_t offset,
                const void *data, size_t bytes) {
  uint32_t words[64];
  if (!systole_handle_check(handle)) return (size_t)-ENODEV;
  if (space != XCL_ADDR_KERNEL_CTRL) return (size_t)-EOPNOTSUPP;
  if (bytes > sizeof words) return (size_t)-EINVAL;
  memcpy(words, data, bytes);
  return control_access(handle, 1, offset, words, bytes);
}

/* ---- buffers -------------------------------------------------------------------------
 */

xclBufferHandle xclAllocBO(xclDeviceHandle handle, size_t bytes, int unused,
                           unsigned int flags) {
  (void)unused;
  systole_buffer_kind kind = SYSTOLE_BUFFER_MAPPED;
  if (!systole_handle_check(handle)) return SYSTOLE_NO_BUFFER;
  if (flags & XCL_BO_FLAGS_EXECBUF) {
    kind = SYSTOLE_BUFFER_COMMAND;
  } else if (flags & (XCL_BO_FLAGS_HOST_ONLY | XCL_BO_FLAGS_SVM)) {
    errno = EOPNOTSUPP; /* the card has no slave bridge */
    return SYSTOLE_NO_BUFFER;
  } else if (flags & XCL_BO_FLAGS_DEV_ONLY) {
    kind = SYSTOLE_BUFFER_DEVICE;
  }
  return systole_buffer_alloc(handle, kind, NULL, bytes, flags);
}

xclBufferHandle xclAllocUserPtrBO(xclDeviceHandle handle, void *user, size_t bytes,
                                  unsigned int flags) {
  if (!systole_handle_check(handle)) return SYSTOLE_NO_BUFFER;
  return systole_buffer_alloc(handle, SYSTOLE_BUFFER_USER, user, bytes, flags);
}

/* Also of a handle that is closed: its buffers are gone, and their numbers with them. */
void xclFreeBO(xclDeviceHandle handle, xclBufferHandle buffer) {
  if (handle) systole_buffer_release(of(handle), buffer);
}

void *xclMapBO(xclDeviceHandle handle, xclBufferHandle buffer, bool write) {
  (void)write;
  return systole_handle_check(handle) ? systole_buffer_map(handle, buffer) : NULL;
}

/* The mapping is the buffer's and ends with it. */
int xclUnmapBO(xclDeviceHandle handle, xclBufferHandle buffer, void *address) {
  (void)handle;
  (void)buffer;
  (void)address;
  return 0;
}

int xclSyncBO(xclDeviceHandle handle, xclBufferHandle buffer, enum xclBOSyncDirection to,
              size_t bytes, size_t offset) {
  if (!systole_handle_check(handle)) return -ENODEV;
  if (to != XCL_BO_SYNC_BO_TO_DEVICE && to != XCL_BO_SYNC_BO_FROM_DEVICE) return -EINVAL;
  return systole_buffer_sync(handle, buffer, to == XCL_BO_SYNC_BO_TO_DEVICE, bytes,
                             offset);
}

int xclCopyBO(xclDeviceHandle handle, xclBufferHandle to, xclBufferHandle from,
              size_t bytes, size_t to_offset, size_t from_offset) {
  if (!systole_handle_check(handle)) return -ENODEV;
  return systole_buffer_copy(handle, to, from, bytes, to_offset, from_offset);
}

int xclGetBOProperties(xclDeviceHandle handle, xclBufferHandle buffer,
                       struct xclBOProperties *properties) {
  uint32_t flags;
  uint64_t bytes, address;
  if (!systole_handle_check(handle)) return -ENODEV;
  const int error = systole_buffer_properties(handle, buffer, &flags, &bytes, &address);
  if (error) return error;
  memset(properties, 0, sizeof *properties);
  properties->handle = buffer;
  properties->flags = flags;
  properties->size = bytes;
  properties->paddr = address;
  return 0;
}

xclBufferExportHandle xclExportBO(xclDeviceHandle handle, xclBufferHandle buffer) {
  return systole_handle_check(handle) ? systole_buffer_export(handle, buffer)
                                      : NULLBOEXPORT;
}

xclBufferHandle xclImportBO(xclDeviceHandle handle, xclBufferExportHandle file,
                            unsigned int flags) {
  (void)flags;
  return systole_handle_check(handle) ? systole_buffer_import(handle, file)
                                      : SYSTOLE_NO_BUFFER;
}

ssize_t xclUnmgdPread(xclDeviceHandle handle, unsigned int flags, void *data,
                      size_t bytes, uint64_t address) {
  (void)flags;
  if (!systole_handle_check(handle)) return -ENODEV;
  return systole_memory_move(handle, 0, data, bytes, address);
}

ssize_t xclUnmgdPwrite(xclDeviceHandle handle, unsigned int flags, const void *data,
                       size_t bytes, uint64_t address) {
  (void)flags;
  if (!systole_handle_check(handle)) return -ENODEV;
  /* The function reads through this pointer when it moves towards the device. */
  return systole_memory_move(handle, 1, (void *)(uintptr_t)data, bytes, address);
}

/* ---- execution -----------------------------------------------------------------------
 */

int xclExecBuf(xclDeviceHandle handle, xclBufferHandle command) {
  return systole_handle_check(handle) ? systole_exec(handle, command) : -ENODEV;
}

int xclExecWait(xclDeviceHandle handle, int timeout_ms) {
  return handle ? systole_exec_wait(of(handle), timeout_ms) : -ENODEV;
}
