/* What an .xclbin file says: compute units, memory banks, which bank each argument of a
 * unit reaches, clock. Read without XRT, so that a bad file is refused in words before
 * XRT's parser, which trusts every offset, sees it.
 *
 * The format is XRT's (xclbin.h of its headers): a header of 496 bytes, of which the last
 * 40 are the first section's, then sections. Numbers are little-endian, as is every
 * machine that XRT runs on.
 */
#ifndef SYSTOLE_CARD_XRT_XCLBIN_H
#define SYSTOLE_CARD_XRT_XCLBIN_H

#include "systole/systole.h"

/* ---- the format ---------------------------------------------------------------------
 */

#define SYSTOLE_XCLBIN_MAGIC "xclbin2" /* with its 0, 8 bytes */
enum {
  SYSTOLE_XCLBIN_LENGTH_AT = 304,   /* uint64: bytes of the file */
  SYSTOLE_XCLBIN_MODE_AT = 332,     /* uint16: 0 for a card */
  SYSTOLE_XCLBIN_PLATFORM_AT = 352, /* 64 bytes: name of the shell */
  SYSTOLE_XCLBIN_UUID_AT = 416,     /* 16 bytes */
  SYSTOLE_XCLBIN_SECTIONS_AT = 448, /* uint32: number of sections */
  SYSTOLE_XCLBIN_TABLE_AT = 456,    /* first section header */
  SYSTOLE_XCLBIN_ENTRY_BYTES = 40,  /* kind uint32, name 16, 4 unused, offset, size */
  SYSTOLE_XCLBIN_BANK_BYTES = 40,
  SYSTOLE_XCLBIN_CONNECTION_BYTES = 12,
  SYSTOLE_XCLBIN_IP_BYTES = 80,
  SYSTOLE_XCLBIN_CLOCK_BYTES = 136
};

typedef enum systole_xclbin_kind {
  SYSTOLE_XCLBIN_BITSTREAM = 0,
  SYSTOLE_XCLBIN_METADATA = 2, /* XML */
  SYSTOLE_XCLBIN_BANKS = 6,
  SYSTOLE_XCLBIN_CONNECTIONS = 7,
  SYSTOLE_XCLBIN_IPS = 8,
  SYSTOLE_XCLBIN_CLOCKS = 11,
  SYSTOLE_XCLBIN_GROUPS = 26,           /* banks, and groups of banks after them */
  SYSTOLE_XCLBIN_GROUP_CONNECTIONS = 27 /* to those */
} systole_xclbin_kind;

enum {
  SYSTOLE_XCLBIN_IP_KERNEL = 1,
  SYSTOLE_XCLBIN_MEM_DDR4 = 1,
  SYSTOLE_XCLBIN_MEM_STREAMING = 3,
  SYSTOLE_XCLBIN_MEM_HBM = 6,
  SYSTOLE_XCLBIN_MEM_STREAM_CONNECTION = 9,
  SYSTOLE_XCLBIN_CLOCK_DATA = 1
};

/* A simulated card's file has a platform that begins so, and as its bitstream the lines
 * of text that systole_xclbin_image is read from. */
#define SYSTOLE_XCLBIN_SIMULATED "systole_simulated_"
#define SYSTOLE_XCLBIN_IMAGE "systole simulated card 1\n"

/* ---- the reader ---------------------------------------------------------------------
 */

typedef struct systole_xclbin_bank {
  char tag[17]; /* "DDR[0]", "HBM[0:3]" */
  int type, used;
  uint64_t base, bytes;
} systole_xclbin_bank;

typedef struct systole_xclbin_unit {
  char kernel[65], name[65]; /* "systole", "systole_1" */
  uint64_t base;
  uint32_t properties;
} systole_xclbin_unit;

typedef struct systole_xclbin_connection {
  int argument, unit, bank; /* indices; unit and bank of the arrays below */
} systole_xclbin_connection;

/* What plays a simulated card. */
typedef struct systole_xclbin_image {
  int dim, readable;
  char memory[32]; /* preset of the timing law */
  double clock_mhz;
} systole_xclbin_image;

typedef struct systole_xclbin {
  uint8_t uuid[16];
  char platform[65];
  double clock_mhz; /* of the data clock; 0: the file does not say */
  int simulated;    /* 1: `image` is filled */
  systole_xclbin_image image;
  systole_xclbin_bank *banks; /* with groups, if the file has any */
  size_t bank_count;
  systole_xclbin_unit *units; /* kernels only, in XRT's order */
  size_t unit_count;
  systole_xclbin_connection *connections; /* of those units */
  size_t connection_count;
  const char *metadata; /* XML, in `data`, not terminated; NULL: none */
  size_t metadata_bytes;
  uint8_t *data; /* the whole file */
  uint64_t bytes;
} systole_xclbin;

/* Reads and checks a file. SYSTOLE_ERR_NOT_FOUND: it is not there; SYSTOLE_ERR_IO: it
 * cannot be read; SYSTOLE_ERR_ARGUMENT: it is no whole .xclbin. */
systole_status systole_xclbin_read(systole_xclbin **out, const char *path);

/* The same from memory, which is copied. `name` is for the sentence. */
systole_status systole_xclbin_parse(systole_xclbin **out, const void *data,
                                    uint64_t bytes, const char *name);

/* Accepts NULL. */
void systole_xclbin_free(systole_xclbin *xclbin);

/* SYSTOLE_ERR_ARGUMENT unless the file holds this version's kernel: its name, and for
 * every argument the number, register, size and kind that this library was built for. */
systole_status systole_xclbin_check_kernel(const systole_xclbin *xclbin,
                                           const char *name);

/* Index of the unit called `name`, -1 when there is none. */
int systole_xclbin_find_unit(const systole_xclbin *xclbin, const char *name);

/* Bank of an argument of a unit as XRT chooses it (the highest index, so that a group
 * comes before its banks), -1 when the argument reaches none. */
int systole_xclbin_bank_of(const systole_xclbin *xclbin, int unit, int argument);

#endif
