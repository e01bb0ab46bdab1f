"use strict";

window.ui = SwaggerUIBundle({
  url: "/api/ver1.0/openapi.json",
  dom_id: "#explorer",
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  // Nothing is asked of any other server.
  validatorUrl: null,
});
