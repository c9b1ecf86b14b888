/* A command stream as a text file that people read and tests run again:
 *
 *     # comment
 *     device rtl:16
 *     memory ddr4
 *     stalls 17
 *     geometry dim=16 axi=16 ub=16384 acc=2048 tiles=16 features=3
 *     seed 5
 *     program
 *     LOAD give=array rows=1 ...        as systole_instruction_print writes them
 *     END
 *     activations 49152
 *     1024 7f80...                      bytes from that offset on, all others are zero
 *     weights 6400
 *     0 01ff...
 *     end
 */
#ifndef SYSTOLE_TESTS_COSIM_STREAM_FILE_H
#define SYSTOLE_TESTS_COSIM_STREAM_FILE_H

#include <stdio.h>

#include "stream.h"

/* Where it ran. */
typedef struct stream_place {
  char device[48]; /* "rtl:16:readable" */
  char memory[16];
  uint64_t stall_seed;
} stream_place;

/* `about` stands in the file as comments, line by line. */
void stream_write(FILE *out, const stream *s, const stream_place *place,
                  const char *about);

/* 0 and a stream to free with stream_free, or -1 and a sentence that names the line. */
int stream_read(stream *s, stream_place *place, FILE *in, char *story,
                size_t story_bytes);

#endif
