#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "card/passport.h"
#include "support/error.h"

systole_status systole_bitstream_read(systole_bitstream *out, const char *xclbin) {
  systole_passport passport;
  if (out == NULL || xclbin == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "reading a bitstream's passport needs its name and a place");
  }
  memset(out, 0, sizeof *out);
  if (access(xclbin, R_OK) != 0) {
    return systole_fail(errno == ENOENT ? SYSTOLE_ERR_NOT_FOUND : SYSTOLE_ERR_IO,
                        "%s cannot be read: %s", xclbin, strerror(errno));
  }
  systole_status status = systole_passport_find(&passport, &out->has_passport, xclbin);
  if (status != SYSTOLE_OK || !out->has_passport) return status;
  memcpy(out->platform, passport.platform, sizeof out->platform);
  memcpy(out->shell, passport.shell, sizeof out->shell);
  memcpy(out->vivado, passport.vivado, sizeof out->vivado);
  memcpy(out->vitis, passport.vitis, sizeof out->vitis);
  memcpy(out->commit, passport.commit, sizeof out->commit);
  memcpy(out->selftest_sha256, passport.selftest_sha256, sizeof out->selftest_sha256);
  out->geometry = passport.geometry;
  out->clock_mhz = passport.clock_mhz;
  return SYSTOLE_OK;
}

int systole_bitstream_fits(const systole_bitstream *bitstream, const char *shell) {
  return bitstream != NULL && shell != NULL && bitstream->has_passport &&
         systole_passport_same_shell(bitstream->shell, shell);
}
