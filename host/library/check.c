#include "library/check.h"

#include "card/systole_isa.h"
#include "support/error.h"
#include "support/memory.h"

systole_status systole_check_options(const systole_device_options *options) {
  if (options == NULL) return SYSTOLE_OK;
  if (options->version < 1 || options->version > SYSTOLE_DEVICE_OPTIONS_VERSION) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device options have version %u, this library knows 1 to %d: "
                        "initialise them with SYSTOLE_DEVICE_OPTIONS_INIT",
                        options->version, SYSTOLE_DEVICE_OPTIONS_VERSION);
  }
  if (!(options->clock_mhz >= 0.0 && options->clock_mhz <= 1e6)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "a clock of %g MHz is not possible",
                        options->clock_mhz);
  }
  if (options->threads < 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%d threads are not possible; 0 means as many as the machine has",
                        options->threads);
  }
  return SYSTOLE_OK;
}

systole_status systole_check_size(const char *name, int64_t value) {
  if (value >= 0) return SYSTOLE_OK;
  return systole_fail(SYSTOLE_ERR_ARGUMENT, "%s is %lld; sizes are 0 or more", name,
                      (long long)value);
}

systole_status systole_check_matrix(const char *name, const void *data, int64_t rows,
                                    int64_t columns, const char *ld_name, int64_t ld,
                                    int element) {
  int64_t least = columns > 1 ? columns : 1;
  if (ld < least) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s is %lld; %s has %lld columns, so it must be at least %lld",
                        ld_name, (long long)ld, name, (long long)columns,
                        (long long)least);
  }
  if (rows == 0 || columns == 0) return SYSTOLE_OK;
  uint64_t elements, bytes;
  if (!systole_multiply(&elements, (uint64_t)rows, (uint64_t)ld) ||
      !systole_multiply(&bytes, elements, (uint64_t)element) || bytes > INT64_MAX) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s of %lld rows and %s %lld is larger than any memory", name,
                        (long long)rows, ld_name, (long long)ld);
  }
  if (data == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s is NULL but should have %lld x %lld elements", name,
                        (long long)rows, (long long)columns);
  }
  return SYSTOLE_OK;
}

systole_status systole_check_product(int64_t m, int64_t n, int64_t k) {
  uint64_t mn, mnk;
  if (systole_multiply(&mn, (uint64_t)m, (uint64_t)n) &&
      systole_multiply(&mnk, mn, (uint64_t)k) && mnk <= INT64_MAX) {
    return SYSTOLE_OK;
  }
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT,
      "a product of M = %lld, N = %lld, K = %lld has more operations than 63 "
      "bits count",
      (long long)m, (long long)n, (long long)k);
}

systole_status systole_check_epilogue(const systole_epilogue *epilogue, int64_t n) {
  if (epilogue == NULL) return SYSTOLE_OK;
  if (epilogue->version < 1 || epilogue->version > SYSTOLE_EPILOGUE_VERSION) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "the epilogue has version %u, this library knows 1 to %d: initialise "
        "it with SYSTOLE_EPILOGUE_INIT",
        epilogue->version, SYSTOLE_EPILOGUE_VERSION);
  }
  if (epilogue->multiplier == NULL) return SYSTOLE_OK;
  if (epilogue->shift == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the epilogue has multipliers and no shifts; it needs both");
  }
  if (epilogue->clamp_low > epilogue->clamp_high) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the epilogue clamps to %d ... %d, which is empty",
                        epilogue->clamp_low, epilogue->clamp_high);
  }
  const int32_t most = (1 << (SYSTOLE_MULTIPLIER_BITS - 1)) - 1;
  for (int64_t j = 0; j < n; j++) {
    if (epilogue->multiplier[j] > most || epilogue->multiplier[j] < -most - 1) {
      return systole_fail(
          SYSTOLE_ERR_ARGUMENT,
          "the multiplier of column %lld is %d; it is a signed %d-bit number",
          (long long)j, epilogue->multiplier[j], SYSTOLE_MULTIPLIER_BITS);
    }
    if (epilogue->shift[j] > SYSTOLE_MAX_SHIFT) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "the shift of column %lld is %u; the most is %d", (long long)j,
                          epilogue->shift[j], SYSTOLE_MAX_SHIFT);
    }
  }
  return SYSTOLE_OK;
}
