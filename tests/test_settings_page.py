from tools.settings_page import PAGE, page


def test_the_settings_page_says_what_the_settings_are() -> None:
    assert PAGE.read_text() == page(), "run: python -m tools.settings_page"


def test_the_settings_page_names_each_setting_as_the_environment_does() -> None:
    for variable in ("GOVERNANCE_LOG_LEVEL", "GOVERNANCE_DATABASE__URL", "GOVERNANCE_OIDC__DEVICE_CLIENT_ID"):
        assert f"`{variable}`" in page()
