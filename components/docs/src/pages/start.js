// All services on one page: the list at the top chooses which. The logo has a style in it, which the
// page's policy forbids.
const withoutLogo = () => ({ components: { Logo: () => null } });

window.ui = SwaggerUIBundle({
  urls: ["patients", "auth", "billing", "analytics"].map((name) => ({
    name,
    url: `/api-docs/${name}`,
  })),
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  plugins: [withoutLogo],
  layout: "StandaloneLayout",
});
