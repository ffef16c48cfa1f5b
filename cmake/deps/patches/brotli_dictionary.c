/*
 * brotli's dictionary: 123 KB in the program as the library has it, 52 KB as brotli itself packs it (which it does
 * without referring to the dictionary). It is unpacked when the first file needs it, and stays for good.
 */
#include <brotli/decode.h>
#include <stdlib.h>

#include "common/dictionary.h"

#define PACKED "brotli_dictionary_packed"

__asm__(".section .rodata." PACKED ",\"a\"\n"
        ".global " PACKED ", " PACKED "_end\n"
        ".hidden " PACKED ", " PACKED "_end\n"
        PACKED ":\n"
        ".incbin \"" DICTIONARY "\"\n"
        PACKED "_end:\n"
        ".previous\n");

extern const uint8_t brotli_dictionary_packed[], brotli_dictionary_packed_end[];

int brotli_dictionary_load(void);

/* 0; -1: no memory. Call it before a decoder is made. */
int brotli_dictionary_load(void)
{
    const BrotliDictionary *dictionary = BrotliGetDictionary();
    size_t size = dictionary->data_size;
    uint8_t *data;

    if (dictionary->data)
        return 0;
    data = malloc(size);
    if (!data ||
        BrotliDecoderDecompress((size_t)(brotli_dictionary_packed_end - brotli_dictionary_packed),
                                brotli_dictionary_packed, &size, data) != BROTLI_DECODER_RESULT_SUCCESS ||
        size != dictionary->data_size) {
        free(data);
        return -1;
    }
    BrotliSetDictionaryData(data);
    return 0;
}
