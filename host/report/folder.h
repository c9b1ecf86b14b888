/* A folder of output files that are complete or not there. Files are written into a
 * temporary folder beside the final one; committing renames it, or, when the final folder
 * is already there, renames file by file into it (files of others stay). */
#ifndef SYSTOLE_REPORT_FOLDER_H
#define SYSTOLE_REPORT_FOLDER_H

typedef struct systole_folder systole_folder;

/* Fails with a story when `path` cannot become a folder that can be written. */
int systole_folder_open(systole_folder **out, const char *path);

/* Where to write now. */
const char *systole_folder_place(const systole_folder *folder);

/* Makes a folder inside it. */
int systole_folder_inside(systole_folder *folder, const char *name);

/* Returns an exit code; frees the object in every case. */
int systole_folder_commit(systole_folder *folder);

/* Removes everything that was written. Accepts NULL. */
void systole_folder_discard(systole_folder *folder);

#endif
