/* The passport of a bitstream: what a built .xclbin is, written beside it by
 * scripts/build_xclbin, and held against the file and the card before anything runs.
 *
 * It lies beside FILE.xclbin as FILE.passport.json or, alone in the folder, as
 * passport.json; bitstreams/passport.schema.json describes its keys. A file without one
 * is accepted: a simulated card's has none.
 */
#ifndef SYSTOLE_CARD_PASSPORT_H
#define SYSTOLE_CARD_PASSPORT_H

#include "support/sha256.h"
#include "systole/systole.h"

typedef struct systole_passport {
  char path[1024];                  /* where it was read from */
  char xclbin[256];                 /* name of the file it belongs to */
  char sha256[SYSTOLE_SHA256_TEXT]; /* of that file */
  char platform[32];                /* "u50" */
  char shell[96];                   /* "xilinx_u50_gen3x16_xdma_5_202210_1" */
  char vivado[32], vitis[32];       /* versions that built it */
  char commit[48];                  /* of Systole */
  systole_geometry geometry;
  int isa_version, rtl_version;
  double clock_mhz; /* that the kernel's clock was given after timing closure */
  char selftest_sha256[SYSTOLE_SHA256_TEXT]; /* "" when it was not measured */
} systole_passport;

/* Reads and checks one file's form. SYSTOLE_ERR_IO: it cannot be read;
 * SYSTOLE_ERR_ARGUMENT: it is no passport, and the story names the key. *out is cleared
 * on failure. */
systole_status systole_passport_read(systole_passport *out, const char *path);

/* The passport of `xclbin`, already held against the file's digest. *found is 0, with
 * SYSTOLE_OK, when there is none beside it. SYSTOLE_ERR_ARGUMENT: the file is not the one
 * that the passport was written for. */
systole_status systole_passport_find(systole_passport *out, int *found,
                                     const char *xclbin);

/* SYSTOLE_ERR_ARGUMENT unless the file's SHA-256 is the passport's. */
systole_status systole_passport_check_file(const systole_passport *passport,
                                           const char *xclbin);

/* SYSTOLE_ERR_ARGUMENT unless the kernel's registers (SYSTOLE_REG_VERSION as read, and
 * the geometry) tell of the passport's kernel. */
systole_status systole_passport_check_kernel(const systole_passport *passport,
                                             const systole_geometry *geometry,
                                             uint32_t version);

/* 1 when two names mean the same shell. A platform's name ends in the date of its
 * package, a card's has "base" or "shell" for the partition that tells it: the platform
 * xilinx_u50_gen3x16_xdma_5_202210_1 is the card's xilinx_u50_gen3x16_xdma_base_5. */
int systole_passport_same_shell(const char *a, const char *b);

/* SYSTOLE_ERR_ARGUMENT unless `shell`, the name that the card tells, means the
 * passport's. NULL or "": the card does not tell, and nothing is checked. */
systole_status systole_passport_check_shell(const systole_passport *passport,
                                            const char *shell);

#endif
