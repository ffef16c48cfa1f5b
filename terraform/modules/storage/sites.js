// CloudFront function (cloudfront-js-2.0), viewer request: which object of the bucket an address means.
// The domain is filled in by terraform; without one the project is the first folder of the path.
var domain = '${domain}';

function handler(event) {
    var request = event.request;
    var path = request.uri;

    if (domain !== '') {
        var host = request.headers.host ? request.headers.host.value.toLowerCase() : '';
        var project = host.endsWith('.' + domain) ? host.slice(0, -domain.length - 1) : '';
        if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(project)) {
            return { statusCode: 404, statusDescription: 'Not Found' };
        }
        path = '/' + project + path;
    }

    var last = path.slice(path.lastIndexOf('/') + 1);
    if (last === '') {
        path += 'index.html';
    } else if (last.indexOf('.') < 0) {
        path += '/index.html';
    }
    request.uri = path;
    return request;
}
