#include "publish/content_type.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"

struct media_type {
    const char *extension;
    const char *type;
};

/* Sorted by extension. */
static const struct media_type media_types[] = {
    {"3gp", "video/3gpp"},
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"aif", "audio/aiff"},
    {"aiff", "audio/aiff"},
    {"apk", "application/vnd.android.package-archive"},
    {"apng", "image/apng"},
    {"appcache", "text/cache-manifest; charset=utf-8"},
    {"arrow", "application/vnd.apache.arrow.file"},
    {"asc", "application/pgp-signature"},
    {"astro", "text/plain; charset=utf-8"},
    {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"},
    {"avif", "image/avif"},
    {"bin", "application/octet-stream"},
    {"bmp", "image/bmp"},
    {"br", "application/x-brotli"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/plain; charset=utf-8"},
    {"cjs", "text/javascript; charset=utf-8"},
    {"conf", "text/plain; charset=utf-8"},
    {"crt", "application/x-x509-ca-cert"},
    {"crx", "application/x-chrome-extension"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"cur", "image/vnd.microsoft.icon"},
    {"dat", "application/octet-stream"},
    {"deb", "application/vnd.debian.binary-package"},
    {"der", "application/x-x509-ca-cert"},
    {"diff", "text/plain; charset=utf-8"},
    {"dmg", "application/x-apple-diskimage"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"dtd", "application/xml-dtd"},
    {"eot", "application/vnd.ms-fontobject"},
    {"eps", "application/postscript"},
    {"epub", "application/epub+zip"},
    {"exe", "application/vnd.microsoft.portable-executable"},
    {"exr", "image/aces"},
    {"flac", "audio/flac"},
    {"flv", "video/x-flv"},
    {"frag", "text/plain; charset=utf-8"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"glsl", "text/plain; charset=utf-8"},
    {"gltf", "model/gltf+json"},
    {"go", "text/plain; charset=utf-8"},
    {"gpg", "application/pgp-encrypted"},
    {"gpx", "application/gpx+xml"},
    {"gql", "application/graphql"},
    {"graphql", "application/graphql"},
    {"gz", "application/gzip"},
    {"h", "text/plain; charset=utf-8"},
    {"har", "application/json"},
    {"hdr", "image/vnd.radiance"},
    {"heic", "image/heic"},
    {"heif", "image/heif"},
    {"htc", "text/x-component; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"ini", "text/plain; charset=utf-8"},
    {"ipa", "application/octet-stream"},
    {"iso", "application/x-iso9660-image"},
    {"jar", "application/java-archive"},
    {"java", "text/plain; charset=utf-8"},
    {"jfif", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"json5", "application/json5"},
    {"jsonl", "application/jsonl"},
    {"jsonld", "application/ld+json"},
    {"jsx", "text/javascript; charset=utf-8"},
    {"jxl", "image/jxl"},
    {"kml", "application/vnd.google-earth.kml+xml"},
    {"kmz", "application/vnd.google-earth.kmz"},
    {"ktx", "image/ktx"},
    {"ktx2", "image/ktx2"},
    {"less", "text/plain; charset=utf-8"},
    {"log", "text/plain; charset=utf-8"},
    {"m3u", "audio/mpegurl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4s", "video/iso.segment"},
    {"m4v", "video/mp4"},
    {"manifest", "text/cache-manifest; charset=utf-8"},
    {"map", "application/json"},
    {"markdown", "text/markdown; charset=utf-8"},
    {"mathml", "application/mathml+xml"},
    {"md", "text/markdown; charset=utf-8"},
    {"mid", "audio/midi"},
    {"midi", "audio/midi"},
    {"mjml", "text/plain; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mkv", "video/matroska"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"mpeg", "video/mpeg"},
    {"mpg", "video/mpeg"},
    {"msi", "application/x-msi"},
    {"mtl", "model/mtl"},
    {"ndjson", "application/x-ndjson"},
    {"obj", "model/obj"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"onnx", "application/octet-stream"},
    {"opensearch", "application/opensearchdescription+xml"},
    {"opml", "application/xml"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"p7m", "application/pkcs7-mime"},
    {"parquet", "application/vnd.apache.parquet"},
    {"patch", "text/plain; charset=utf-8"},
    {"pbf", "application/x-protobuf"},
    {"pdf", "application/pdf"},
    {"pem", "application/x-pem-file"},
    {"pfb", "application/x-font-type1"},
    {"png", "image/png"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"proto", "text/plain; charset=utf-8"},
    {"ps", "application/postscript"},
    {"psd", "image/vnd.adobe.photoshop"},
    {"py", "text/plain; charset=utf-8"},
    {"rar", "application/vnd.rar"},
    {"rb", "text/plain; charset=utf-8"},
    {"rdf", "application/rdf+xml"},
    {"rpm", "application/x-rpm"},
    {"rs", "text/plain; charset=utf-8"},
    {"rss", "application/rss+xml"},
    {"rst", "text/plain; charset=utf-8"},
    {"rtf", "application/rtf"},
    {"scss", "text/plain; charset=utf-8"},
    {"sh", "text/plain; charset=utf-8"},
    {"shtml", "text/html; charset=utf-8"},
    {"sig", "application/pgp-signature"},
    {"sqlite", "application/vnd.sqlite3"},
    {"srt", "text/plain; charset=utf-8"},
    {"stl", "model/stl"},
    {"svelte", "text/plain; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"svgz", "image/svg+xml"},
    {"swf", "application/x-shockwave-flash"},
    {"tar", "application/x-tar"},
    {"tex", "application/x-tex"},
    {"text", "text/plain; charset=utf-8"},
    {"tgz", "application/gzip"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"toml", "application/toml"},
    {"topojson", "application/json"},
    {"torrent", "application/x-bittorrent"},
    {"ts", "text/plain; charset=utf-8"},
    {"tsv", "text/tab-separated-values; charset=utf-8"},
    {"tsx", "text/plain; charset=utf-8"},
    {"ttc", "font/collection"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"usdz", "model/vnd.usdz+zip"},
    {"vcf", "text/vcard; charset=utf-8"},
    {"vert", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"vue", "text/plain; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webapp", "application/x-web-app-manifest+json"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"wgsl", "text/wgsl; charset=utf-8"},
    {"wmv", "video/x-ms-wmv"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xht", "application/xhtml+xml"},
    {"xhtml", "application/xhtml+xml"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"xml", "application/xml"},
    {"xpi", "application/x-xpinstall"},
    {"xsd", "application/xml"},
    {"xsl", "application/xslt+xml"},
    {"xslt", "application/xslt+xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

static int compare(const void *key, const void *item)
{
    return strcmp(key, ((const struct media_type *)item)->extension);
}

const char *content_type_of(const char *path)
{
    const char *name = strrchr(path, '/');
    const struct media_type *found;
    char extension[16];
    const char *dot;
    size_t i;

    name = name ? name + 1 : path;
    dot = strrchr(name, '.');
    if (!dot || strlen(dot + 1) >= sizeof extension)
        return "application/octet-stream";
    for (i = 0; dot[i + 1]; i++)
        extension[i] = (char)tolower((unsigned char)dot[i + 1]);
    extension[i] = '\0';
    found = bsearch(extension, media_types, ARRAY_LEN(media_types), sizeof media_types[0], compare);
    return found ? found->type : "application/octet-stream";
}

const char *content_encoding_of(const char *path, size_t *base_len)
{
    static const struct {
        const char *suffix, *coding;
    } codings[] = {{".gz", "gzip"}, {".br", "br"}, {".zst", "zstd"}};
    size_t len = strlen(path), suffix, i;

    for (i = 0; i < ARRAY_LEN(codings); i++) {
        suffix = strlen(codings[i].suffix);
        if (len > suffix && path[len - suffix - 1] != '/' && strcmp(path + len - suffix, codings[i].suffix) == 0) {
            *base_len = len - suffix;
            return codings[i].coding;
        }
    }
    return NULL;
}

bool content_type_is_page(const char *content_type)
{
    return strncasecmp(content_type, "text/html", 9) == 0 ||
           strncasecmp(content_type, "application/xhtml+xml", 21) == 0;
}
